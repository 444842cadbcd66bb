// The zoom of each site, as the user last set it.

import type { Api } from '../api';

const STEPS = [0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3] as const;
/** Sites remembered; the least recently changed are forgotten first. */
const MAX_SITES = 200;

export class Zoom {
  #factors = $state.raw<Readonly<Record<string, number>>>({});
  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  async load(): Promise<void> {
    const kept = await this.#api.preference('zoom').catch(() => null);
    if (typeof kept !== 'object' || kept === null) return;
    const sound = Object.entries(kept).filter((entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] >= STEPS[0] && entry[1] <= 3);
    this.#factors = Object.fromEntries(sound.slice(-MAX_SITES));
  }

  of(peer: string | null): number {
    return (peer !== null && this.#factors[peer]) || 1;
  }

  step(peer: string, by: 1 | -1): void {
    const now = this.of(peer);
    const next = by > 0 ? STEPS.find((step) => step > now + 0.01) : STEPS.findLast((step) => step < now - 0.01);
    if (next !== undefined) this.#set(peer, next);
  }

  reset(peer: string): void {
    this.#set(peer, 1);
  }

  #set(peer: string, factor: number): void {
    const { [peer]: _, ...others } = this.#factors;
    this.#factors = Object.fromEntries(Object.entries(factor === 1 ? others : { ...others, [peer]: factor }).slice(-MAX_SITES));
    void this.#api.prefer('zoom', this.#factors).catch(() => {});
  }
}
