// The address of Goop2's pages, which are on this computer only, by the rules of the viewer.

/** What existing configurations say for this computer. */
const HERE = /^(|localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])$/;

/** As the pages have it, whichever way it was written; empty for the usual one, null where it is not on this computer. */
export function localAddress(text: string): string | null {
  const typed = text.trim().replace(/^http:\/\//, '').replace(/\/$/, '');
  if (typed === '') return '';
  const [, host = '', port = ''] = /^(?:(.*):)?(\d{1,5})$/.exec(typed) ?? [];
  if (port === '' || Number(port) > 65_535 || !HERE.test(host)) return null;
  return `127.0.0.1:${Number(port)}`;
}
