// Changes the mock peers in a worker: as with real ones this costs the page nothing, and arrives as text.

import type { PeerCard } from '../types/PeerCard';

export interface Drift {
  readonly peers: readonly PeerCard[];
  /** Milliseconds between two changes. */
  readonly every: number;
}

/** From this many on, some always come and go. */
const CROWD = 100;

let timer: ReturnType<typeof setInterval> | undefined;

self.onmessage = ({ data }: MessageEvent<Drift>): void => {
  let { peers } = data;
  clearInterval(timer);
  timer = setInterval(() => {
    peers = peers.map(peers.length < CROWD ? drift : (peer) => goes(drift(peer)));
    self.postMessage(JSON.stringify({ peers }));
  }, data.every);
};

/** Some round trips change. */
function drift(peer: PeerCard): PeerCard {
  if (!peer.path?.rtt_ms || Math.random() > 0.2) return peer;
  return { ...peer, last_seen: Date.now(), path: { ...peer.path, rtt_ms: Math.max(0.4, peer.path.rtt_ms + Math.random() * 2 - 1) } };
}

/** Few leave or return, but of thousands someone always does. */
function goes(peer: PeerCard): PeerCard {
  if (peer.group === 'nearby' || Math.random() > 0.002) return peer;
  return peer.group === 'elsewhere' ? { ...peer, group: 'earlier', path: null } : { ...peer, group: 'elsewhere', path: { kind: 'direct', transport: 'quic', rtt_ms: 40, relay: null } };
}
