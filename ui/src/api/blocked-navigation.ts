// Reports when a page tries to navigate its frame out of Goop2: this document's policy blocks it.

import type { Stop } from '.';

/** In place of an address that a browser keeps to itself, as it does for links of ours. */
export const UNTOLD = 'goop:';

/** What pages put into frames without anybody's click. */
const MADE_BY_PAGES = ['about', 'blob', 'data', 'filesystem', 'javascript'];

export function onBlockedNavigation(callback: (url: string) => void): Stop {
  const report = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
    if (effectiveDirective !== 'frame-src') return;
    if (/^https?:/.test(blockedURI)) callback(blockedURI);
    else if (/^(goop|null)?$/.test(blockedURI)) callback(UNTOLD);
    else if (/^[a-z][a-z\d+.-]*$/i.test(blockedURI) && !MADE_BY_PAGES.includes(blockedURI)) callback(`${blockedURI}:`);
  };
  document.addEventListener('securitypolicyviolation', report);
  return () => document.removeEventListener('securitypolicyviolation', report);
}
