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
    if (!this.#api) return () => {};
    const stops = [this.#api.subscribe((value) => (this.value = value)), this.#api.onRefused((refused) => void (this.refused ??= refused))];
    return () => stops.forEach((stop) => stop());
  }
}
