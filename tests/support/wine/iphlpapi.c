// Stands beside the program under test: Wine 8 refuses to tell of changes of the network, without which nothing listens. Here nobody is
// ever told, which is no failure; everything else is Wine's own.
#include <windows.h>

#define PASSED_ON(name)                                                  \
  FARPROC wine_##name;                                                   \
  __declspec(dllexport) __attribute__((naked)) void name(void) {         \
    __asm__("jmp *wine_" #name "(%rip)");                                \
  }

PASSED_ON(FreeMibTable)
PASSED_ON(GetAdaptersAddresses)
PASSED_ON(GetIfEntry2)
PASSED_ON(GetIfTable2)
PASSED_ON(SendARP)

static DWORD never(HANDLE *handle) {
  if (handle) *handle = (HANDLE)1;
  return NO_ERROR;
}

__declspec(dllexport) DWORD WINAPI NotifyIpInterfaceChange(USHORT family, void *callback, void *context, BOOLEAN first, HANDLE *handle) {
  return never(handle);
}

__declspec(dllexport) DWORD WINAPI NotifyUnicastIpAddressChange(USHORT family, void *callback, void *context, BOOLEAN first, HANDLE *handle) {
  return never(handle);
}

__declspec(dllexport) DWORD WINAPI NotifyRouteChange2(USHORT family, void *callback, void *context, BOOLEAN first, HANDLE *handle) {
  return never(handle);
}

__declspec(dllexport) DWORD WINAPI CancelMibChangeNotify2(HANDLE handle) { return NO_ERROR; }

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved) {
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  HMODULE wine = LoadLibraryW(L"C:\\windows\\system32\\iphlpapi.dll");
  if (!wine || wine == instance) return FALSE;
  wine_FreeMibTable = GetProcAddress(wine, "FreeMibTable");
  wine_GetAdaptersAddresses = GetProcAddress(wine, "GetAdaptersAddresses");
  wine_GetIfEntry2 = GetProcAddress(wine, "GetIfEntry2");
  wine_GetIfTable2 = GetProcAddress(wine, "GetIfTable2");
  wine_SendARP = GetProcAddress(wine, "SendARP");
  return TRUE;
}
