// Reports when a page tries to navigate its frame out of Goop2: this document's policy blocks it.

import type { Stop } from '.';

/** Links of ours, of which a browser tells the scheme only. */
export const GOOP = 'goop:';

export function onBlockedNavigation(callback: (url: string) => void): Stop {
  const report = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
    if (effectiveDirective !== 'frame-src') return;
    if (/^https?:/.test(blockedURI)) callback(blockedURI);
    else if (/^goop\b/.test(blockedURI)) callback(GOOP);
  };
  document.addEventListener('securitypolicyviolation', report);
  return () => document.removeEventListener('securitypolicyviolation', report);
}
