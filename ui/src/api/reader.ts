// Parses snapshots in a worker. With thousands of peers they are megabytes of text several times a second; parsing them and
// collecting the garbage takes longer than a frame. The page gets only the changes.

import { whole, type Changes } from '../lib/changes';
import type { PeerCard } from './types/PeerCard';
import type { Snapshot } from './types/Snapshot';

export class Reader {
  #worker = new Worker(new URL('./reader-worker.ts', import.meta.url), { type: 'module' });
  #peers: PeerCard[] = [];
  /** Texts being parsed, and how many of them, the oldest, are to be ignored. */
  #reading = 0;
  #past = 0;

  /** Calls back in the order of the texts. */
  constructor(receive: (snapshot: Snapshot) => void) {
    this.#worker.onmessage = ({ data }: MessageEvent<Changes>) => {
      const snapshot = whole(this.#peers, data);
      this.#peers = snapshot.peers;
      this.#reading--;
      if (this.#past > 0) this.#past--;
      else receive(snapshot);
    };
  }

  read(text: string): void {
    this.#reading++;
    this.#worker.postMessage(text);
  }

  /** The sender is gone: texts still being parsed are not a sign of life. */
  forget(): void {
    this.#past = this.#reading;
  }
}
