// How this computer is connected to a peer, in words.

import type { Path } from '../api/types/Path';
import type { PeerCard } from '../api/types/PeerCard';
import { roundTrip } from './time';

export interface Connection {
  /** "Direct · LAN · 2 ms" */
  text: string;
  /** "2 ms": where there is little room. */
  brief: string;
  /** A phrase for the tooltip and for screen readers. */
  long: string;
  tone: 'good' | 'warn' | 'off';
}

const KINDS = {
  lan: { parts: ['Direct', 'LAN'], long: 'Connected directly over the local network' },
  direct: { parts: ['Direct'], long: 'Connected directly over the Internet' },
  relayed: { parts: ['Relayed'], long: 'Connected through a relay, which sees only encrypted traffic' },
} as const;

export function connection(peer: PeerCard | undefined): Connection {
  if (!peer) return { text: 'Not seen yet', brief: 'Not seen', long: 'Not seen since Goop2 started', tone: 'off' };
  if (peer.group === 'earlier') return { text: 'Offline', brief: 'Offline', long: 'Not online right now', tone: 'off' };
  if (!peer.path) return { text: 'Not connected yet', brief: 'Not connected', long: 'Online. Goop2 connects when you visit', tone: 'off' };
  const { kind, rtt_ms: rtt } = peer.path;
  const time = rtt === null ? [] : [roundTrip(rtt)];
  return {
    text: [...KINDS[kind].parts, ...time].join(' · '),
    brief: (kind === 'relayed' ? undefined : time[0]) ?? KINDS[kind].parts[0],
    long: sentence(peer.path),
    tone: kind === 'relayed' ? 'warn' : 'good',
  };
}

/** "Direct · QUIC · 34 ms", "Relayed by meet.example · TCP" */
export function summary({ kind, transport, rtt_ms: rtt, relay }: Path): string {
  const kindParts = relay ? [`Relayed by ${relay.label}`] : KINDS[kind].parts;
  return [...kindParts, transport === 'quic' ? 'QUIC' : 'TCP', ...(rtt === null ? [] : [roundTrip(rtt)])].join(' · ');
}

/** Everything known about a path, in one phrase. */
export function sentence({ kind, transport, rtt_ms: rtt, relay }: Path): string {
  const through = kind === 'relayed' && relay ? `Connected through the relay at ${relay.label}, which sees only encrypted traffic` : KINDS[kind].long;
  return `${through} (${[transport === 'quic' ? 'QUIC' : 'TCP', ...(rtt === null ? [] : [`${roundTrip(rtt)} round trip`])].join(', ')})`;
}
