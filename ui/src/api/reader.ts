// Reads snapshots in a thread of its own. With thousands of peers they are megabytes of text several times a second; to read them, and
// to clear away what was read, takes longer than a frame has. The page gets what changed.

import { whole, type Changes } from '../lib/changes';
import type { PeerCard } from './types/PeerCard';
import type { Snapshot } from './types/Snapshot';

export class Reader {
  #worker = new Worker(new URL('./reading.ts', import.meta.url), { type: 'module' });
  #peers: readonly PeerCard[] = [];

  /** In the order of the texts. */
  constructor(hear: (snapshot: Snapshot) => void) {
    this.#worker.onmessage = ({ data }: MessageEvent<Changes>) => {
      const snapshot = whole(this.#peers, data);
      this.#peers = snapshot.peers;
      hear(snapshot);
    };
  }

  read(text: string): void {
    this.#worker.postMessage(text);
  }
}
