// How this machine reaches a peer, in words.

import type { PeerCard } from '../api/types/PeerCard';
import { roundTrip } from './time';

export interface Route {
  /** "Direct · LAN · 2 ms" */
  text: string;
  /** A sentence, for the tooltip and for screen readers. */
  long: string;
  tone: 'good' | 'warn' | 'off';
}

const KINDS = {
  lan: { parts: ['Direct', 'LAN'], long: 'Connected directly over the local network' },
  direct: { parts: ['Direct'], long: 'Connected directly over the internet' },
  relayed: { parts: ['Relayed'], long: 'Connected through a relay, which sees only encrypted traffic' },
} as const;

export function route(peer: PeerCard | undefined): Route {
  if (!peer) return { text: 'Not seen yet', long: 'This peer has not been seen since Goop2 started', tone: 'off' };
  if (peer.group === 'earlier') return { text: 'Offline', long: 'This peer is not online now', tone: 'off' };
  if (!peer.path) return { text: 'Not connected yet', long: 'This peer is online; a connection is made when you visit', tone: 'off' };
  const { kind, transport, rtt_ms: rtt } = peer.path;
  const time = rtt === null ? [] : [roundTrip(rtt)];
  return {
    text: [...KINDS[kind].parts, ...time].join(' · '),
    long: `${KINDS[kind].long}, by ${transport === 'quic' ? 'QUIC' : 'TCP'}${rtt === null ? '' : `; a round trip takes ${roundTrip(rtt)}`}`,
    tone: kind === 'relayed' ? 'warn' : 'good',
  };
}
