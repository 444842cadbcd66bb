// The worker of `Reader`.

import { changes } from '../lib/changes';
import type { PeerCard } from './types/PeerCard';
import type { Snapshot } from './types/Snapshot';

let before: readonly PeerCard[] = [];

self.onmessage = ({ data }: MessageEvent<string>): void => {
  const snapshot = JSON.parse(data) as Snapshot;
  self.postMessage(changes(before, snapshot));
  before = snapshot.peers;
};
