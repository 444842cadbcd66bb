// The last state of the app around the peer; there is none in a browser.

import type { Refused, Shell, ShellApi, Stop } from '../api';

export class ShellState {
  value = $state.raw<Shell | null>(null);
  /** What the page wanted and did not get. The first stays until it is dismissed, so that a click never hits another one. */
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
