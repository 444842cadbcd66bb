// Parses snapshots. With thousands of peers they are megabytes of text several times a second; parsing them and collecting the
// garbage takes longer than a frame, so from a certain size on a worker does it, and the page gets only the changes. With few
// peers there is no worker: it takes more memory than all that they say.

import { whole, type Changes } from '../lib/changes';
import type { PeerCard } from './types/PeerCard';
import type { Snapshot } from './types/Snapshot';

/** Characters that are parsed within a millisecond: about a hundred peers. */
const SMALL = 64_000;

export class Reader {
  /** Once there is one, it reads everything. */
  #worker: Worker | null = null;
  #receive: (snapshot: Snapshot) => void;
  #peers: PeerCard[] = [];
  /** Texts being parsed, and how many of them, the oldest, are to be ignored. */
  #reading = 0;
  #past = 0;

  /** Calls back in the order of the texts. */
  constructor(receive: (snapshot: Snapshot) => void) {
    this.#receive = receive;
  }

  read(text: string): void {
    if (!this.#worker && text.length <= SMALL) return this.#receive(JSON.parse(text) as Snapshot);
    this.#worker ??= this.#start();
    this.#reading++;
    this.#worker.postMessage(text);
  }

  /** The sender is gone: texts still being parsed are not a sign of life. */
  forget(): void {
    this.#past = this.#reading;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./reader-worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<Changes>) => {
      const snapshot = whole(this.#peers, data);
      this.#peers = snapshot.peers;
      this.#reading--;
      if (this.#past > 0) this.#past--;
      else this.#receive(snapshot);
    };
    return worker;
  }
}
