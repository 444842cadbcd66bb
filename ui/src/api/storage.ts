// Preferences in a browser. Private windows and full disks may refuse; then nothing is remembered.

const KEY = 'goop2.';

export async function preference(name: string): Promise<unknown> {
  try {
    return JSON.parse(localStorage.getItem(KEY + name) ?? 'null');
  } catch {
    return null;
  }
}

export async function prefer(name: string, value: unknown): Promise<void> {
  try {
    localStorage.setItem(KEY + name, JSON.stringify(value));
  } catch {
    /* only forgotten */
  }
}
