// Reports when a page tries to navigate its frame out of Goop2: this document's policy blocks it.

import type { Stop } from '.';

export function onBlockedNavigation(callback: (url: string) => void): Stop {
  const report = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
    if (effectiveDirective === 'frame-src' && /^https?:/.test(blockedURI)) callback(blockedURI);
  };
  document.addEventListener('securitypolicyviolation', report);
  return () => document.removeEventListener('securitypolicyviolation', report);
}
