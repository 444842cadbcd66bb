// How pretended peers change, in a thread of its own: as with real ones it costs the page nothing, and arrives as text.

import type { PeerCard } from '../types/PeerCard';

export interface Drift {
  readonly peers: readonly PeerCard[];
  /** Milliseconds between two changes. */
  readonly every: number;
}

/** So many that some always come and go. */
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

/** Some measure another round trip. */
function drift(peer: PeerCard): PeerCard {
  if (!peer.path?.rtt_ms || Math.random() > 0.2) return peer;
  return { ...peer, last_seen: Date.now(), path: { ...peer.path, rtt_ms: Math.max(0.4, peer.path.rtt_ms + Math.random() * 2 - 1) } };
}

/** Hardly anyone is away or back again, but of thousands someone always is. */
function goes(peer: PeerCard): PeerCard {
  if (peer.group === 'nearby' || Math.random() > 0.002) return peer;
  return peer.group === 'elsewhere' ? { ...peer, group: 'earlier', path: null } : { ...peer, group: 'elsewhere', path: { kind: 'direct', transport: 'quic', rtt_ms: 40, relay: null } };
}
