// Where a page leads its frame to the web outside: the policy of this document holds it back, and tells.

import type { Stop } from '.';

export function onBlockedNavigation(callback: (url: string) => void): Stop {
  const hear = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
    if (effectiveDirective === 'frame-src' && /^https?:/.test(blockedURI)) callback(blockedURI);
  };
  document.addEventListener('securitypolicyviolation', hear);
  return () => document.removeEventListener('securitypolicyviolation', hear);
}
