// The app around the peer, as it last said it is; in a browser there is none.

import type { Refused, Shell, ShellApi, Stop } from '../api';

export class ShellState {
  value = $state.raw<Shell | null>(null);
  /** What the page on show wanted and did not get. The first stays until it is seen to: nobody's click meets another one. */
  refused = $state.raw<Refused | null>(null);

  readonly #api: ShellApi | null;

  constructor(api: ShellApi | null) {
    this.#api = api;
  }

  start(): Stop {
    const refuse = (refused: Refused): void => void (this.refused ??= refused);
    // Where a link of a page would have led its frame: the policy of this document holds it back, and tells.
    const held = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
      if (effectiveDirective === 'frame-src' && /^https?:/.test(blockedURI)) refuse({ what: 'link', url: blockedURI });
    };
    document.addEventListener('securitypolicyviolation', held);
    const stops = [() => document.removeEventListener('securitypolicyviolation', held)];
    if (this.#api) stops.push(this.#api.subscribe((value) => (this.value = value)), this.#api.onRefused(refuse));
    return () => stops.forEach((stop) => stop());
  }
}
