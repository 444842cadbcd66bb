// The status of a joined rendezvous, in one line.

import type { Joined } from '../api';

const RELAY = { none: '', offered: 'relay available', ready: 'relay ready' } as const;

export interface JoinedStatus {
  readonly tone: 'good' | 'warn' | 'off';
  /** The state: announced when it changes. */
  readonly said: string;
  /** Details that change all the time. */
  readonly more: string;
}

export function joinedStatus(joined: Joined): JoinedStatus {
  const reason = joined.reason ?? '';
  switch (joined.state) {
    case 'connecting':
      return { tone: 'off', said: 'Connecting…', more: '' };
    case 'refused':
      return { tone: 'warn', said: reason || 'This rendezvous refused your peer.', more: '' };
    case 'lost':
      return { tone: 'warn', said: `${reason || 'This rendezvous can’t be reached.'} Goop2 keeps trying.`, more: '' };
    case 'connected':
      if (joined.registration === 'required') return { tone: 'warn', said: 'Connected, but not registered yet: nobody there can see you.', more: '' };
      return { tone: 'good', said: 'Connected', more: [others(joined.peers), RELAY[joined.relay]].filter(Boolean).map((part) => ` · ${part}`).join('') };
  }
}

const others = (count: number): string => (count === 0 ? 'nobody else yet' : count === 1 ? '1 peer' : `${count.toLocaleString('en')} peers`);
