// Reads snapshots in a thread of its own. With thousands of peers they are megabytes of text several times a second; to read them, and
// to clear away what was read, takes longer than a frame has. The page gets what changed.

import { whole, type Changes } from '../lib/changes';
import type { PeerCard } from './types/PeerCard';
import type { Snapshot } from './types/Snapshot';

export class Reader {
  #worker = new Worker(new URL('./reader-worker.ts', import.meta.url), { type: 'module' });
  #peers: PeerCard[] = [];
  /** Texts that are being read, and how many of them, the oldest, nobody wants to hear any more. */
  #reading = 0;
  #past = 0;

  /** In the order of the texts. */
  constructor(hear: (snapshot: Snapshot) => void) {
    this.#worker.onmessage = ({ data }: MessageEvent<Changes>) => {
      const snapshot = whole(this.#peers, data);
      this.#peers = snapshot.peers;
      this.#reading--;
      if (this.#past > 0) this.#past--;
      else hear(snapshot);
    };
  }

  read(text: string): void {
    this.#reading++;
    this.#worker.postMessage(text);
  }

  /** Whoever sent the texts so far is gone: what is still being read is no sign of life. */
  forget(): void {
    this.#past = this.#reading;
  }
}
