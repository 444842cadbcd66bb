// A mock peer with every state the window can show. `?scenario=` chooses one; the names are the keys of SCENARIOS here, and of
// those in `rendezvous.ts`, `network.ts` and `shell.ts`. Development only: no build contains it.

import { link } from '../../lib/address';
import { siteLabel } from '../../lib/id';
import { mockShell } from './shell';
import { Refusal, type Api, type Denied, type Group, type Listener, type Navigated, type Notice, type Path, type PeerCard, type Snapshot, type Stop } from '..';
import type { Drift } from './drift';
import { MockNetwork } from './network';
import { MockRendezvous, qr } from './rendezvous';
import { MockSettings } from './settings';
import { MockSite } from './site';
import { mockTables } from './tables';
import { Reader } from '../reader';
import { prefer, preference } from '../storage';
import { appWindow, tab } from '../tab';

const MINUTE = 60_000;
/** A port where nothing is served. */
const NOBODY = 9;
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

interface Scenario {
  peers: PeerCard[];
  notices?: Notice[];
  label?: string;
  /** What happens to the connection, and after how many milliseconds. */
  link?: { to: 'lost' | 'locked' | 'never'; after: number };
  /** Names under `.localhost` do not resolve; ports help, or not. */
  names?: 'ports' | 'nowhere';
  /** Round trips change this often, in milliseconds. */
  changing?: number;
}

const NORMAL: PeerCard[] = [
  card('Anselm — field notes', 'nearby', lan(2.1), { avatar: true }),
  card('Kitchen tablet', 'nearby', lan(4)),
  card('Studio guestbook', 'nearby', lan(3.2)),
  card('Lena’s radio', 'elsewhere', far('direct', 'quic', 34)),
  card('Oskar’s chess club', 'elsewhere', far('relayed', 'tcp', 88), { verified: false }),
  card('Tomás — zines', 'earlier', null, { seen: 14 }),
];

const NOTICES: Notice[] = [
  { code: 'no-multicast', message: 'This network blocks multicast, so nearby peers can’t be found automatically. Add them by address, or connect to another network.' },
  { code: 'port-taken', message: 'Port 8080 is in use, so Goop2 uses 8081 for now.' },
];

const BROKEN = 'p2p.listen_port is "x", but must be a number from 0 to 65535.';

const DENIED: Omit<Denied, 'peer'>[] = [
  { kind: 'img-src', target: 'http://192.168.1.1' },
  { kind: 'connect-src', target: 'http://192.168.1.1:9000' },
  { kind: 'object-src', target: 'https://example.org' },
];

const SCENARIOS: Record<string, () => Scenario> = {
  normal: () => ({ peers: NORMAL, changing: 2000 }),
  still: () => ({ peers: NORMAL }),
  empty: () => ({ peers: [] }),
  many: () => ({ peers: crowd(500), changing: 1000 }),
  crowd: () => ({ peers: crowd(5000), changing: 200 }),
  favorites: () => ({ peers: favorites(), changing: 2000 }),
  denied: () => ({ peers: NORMAL }),
  leaving: () => ({ peers: NORMAL }),
  desktop: () => ({ peers: favorites() }),
  'ask-named': () => ({ peers: favorites() }),
  stuck: () => ({ peers: NORMAL }),
  tab: () => ({ peers: NORMAL }),
  names: () => ({ peers: names(), label: 'The extraordinarily long-winded workshop of Bartholomew & Co' }),
  rtl: () => ({ peers: names(), label: 'ملاحظات ميرا من الحديقة' }),
  notice: () => ({ peers: NORMAL, notices: NOTICES }),
  twice: () => ({ peers: [...NORMAL, ...NORMAL], notices: [...NOTICES, ...NOTICES] }),
  lost: () => ({ peers: NORMAL, link: { to: 'lost', after: 400 } }),
  gone: () => ({ peers: [], link: { to: 'lost', after: 0 } }),
  locked: () => ({ peers: [], link: { to: 'locked', after: 0 } }),
  ports: () => ({ peers: NORMAL, names: 'ports' }),
  nowhere: () => ({ peers: NORMAL, names: 'nowhere' }),
  loading: () => ({ peers: [], link: { to: 'never', after: 0 } }),
};

export function mock(): Api {
  const name = new URLSearchParams(location.search).get('scenario') ?? 'normal';
  const scenario: Scenario = SCENARIOS[name]?.() ?? { peers: NORMAL };
  const me = id('me');
  const port = Number(location.port);
  const listeners = new Set<Listener>();
  const emit = (): void => {
    const { peers, ...rest } = snapshot;
    for (const listener of listeners) listener.snapshot({ ...structuredClone({ ...rest, rendezvous: rendezvous.state, network: network.state }), peers });
  };
  const rendezvous = new MockRendezvous(name, emit);
  const network = new MockNetwork(name, emit);
  const snapshot: Omit<Snapshot, 'rendezvous' | 'network'> = {
    me: {
      id: me,
      label: scenario.label ?? 'Mira’s corner',
      email: '',
      avatar_hash: '',
      listen: ['/ip4/192.168.1.17/tcp/40123', '/ip4/192.168.1.17/udp/40123/quic-v1', '/ip6/fd12:3456:789a::17/udp/40124/quic-v1'],
    },
    peers: scenario.peers,
    notices: scenario.notices ?? [],
    live: { readers: 2, today: 14, month: 233, pages: [{ path: '/', readers: 1, visits: 120 }, { path: '/autumn.html', readers: 1, visits: 81 }], counting: true, reloading: true },
  };

  const drifting = scenario.changing ? new Worker(new URL('./drift.ts', import.meta.url), { type: 'module' }) : null;
  const drift = (): void => drifting?.postMessage({ peers: snapshot.peers, every: scenario.changing ?? 0 } satisfies Drift);
  const reader = new Reader(({ peers }) => {
    snapshot.peers = peers;
    emit();
  });
  drifting?.addEventListener('message', ({ data }: MessageEvent<string>) => reader.read(data));
  drift();

  const changed = (): void => {
    emit();
    drift();
  };
  const settings = new MockSettings(snapshot, changed, 900, name === 'broken' ? BROKEN : null);

  return {
    session: async () => ({ version: '0.1.0', peer: me, viewer_port: scenario.names ? NOBODY : port }),
    subscribe: (listener) => {
      const stops = [arrive(listener, scenario, { ...snapshot, rendezvous: rendezvous.state, network: network.state }), () => listeners.delete(listener)];
      listeners.add(listener);
      return () => stops.forEach((stop) => stop());
    },
    reconnect: () => location.reload(),
    opening: () => ({ ports: false, place: null }),
    origin: async () => {
      if (scenario.names !== 'ports') throw new Refusal({ code: 'used-up', message: 'This window has opened 32 sites, which is the limit. Restart Goop2 to open more.' });
      return `http://localhost:${port}`;
    },
    onNavigated: (callback) => {
      import.meta.hot?.on('goop2:navigated', (event: Navigated) => callback(event));
      return () => {};
    },
    place: async (text) => place(text, [me, ...snapshot.peers.map((peer) => peer.id)]),
    addAddress: async (address) => {
      await new Promise((done) => setTimeout(done, 400));
      const peer = /\/p2p\/([^/]+)$/.exec(address)?.[1];
      if (!peer || !siteLabel(peer)) throw new Refusal({ code: 'invalid', message: 'The address must end in /p2p/ and the peer ID.' });
      return peer;
    },
    avatar: async (_, hash) => (hash === '' ? null : HERON),
    rendezvous: rendezvous.api,
    network: network.api,
    qr: async (text) => qr(text),
    preference,
    prefer,
    settings: settings.api,
    people: settings.people,
    site: new MockSite(name).api,
    tables: mockTables(name === 'empty', me, scenario.peers),
    logs: async (since) => settings.logs(since),
    onDenied: (callback) => {
      if (name !== 'denied') return () => {};
      const timer = setInterval(() => DENIED.forEach((denied) => scenario.peers[0] && callback({ ...denied, peer: scenario.peers[0].id })), 2000);
      return () => clearInterval(timer);
    },
    onLeaving: (callback) => {
      if (name === 'leaving') setTimeout(() => callback('https://example.org/a/page?with=words'), 300);
      return () => {};
    },
    leave: async (url) => void window.open(url, '_blank', 'noopener'),
    mayNotify: async () => name !== 'still',
    notify: async (title, text) => console.info(title, text),
    openExternal: async (url) => {
      if (name === 'stuck') throw new Refusal({ code: 'open', message: 'No program on this computer opens web pages.' });
      window.open(url, '_blank', 'noopener');
    },
    copy: (text) => navigator.clipboard.writeText(text),
    tab: name === 'tab' ? tab : appWindow,
    shell: name === 'tab' ? null : mockShell(name, scenario.peers),
  };
}

function arrive(listener: Listener, { link: change }: Scenario, first: Snapshot): Stop {
  if (change?.to === 'never') return () => {};
  if (change && change.after === 0) {
    listener.link(change.to === 'locked' ? 'locked' : 'lost');
    return () => {};
  }
  listener.snapshot(first);
  listener.link('live');
  const timer = change && setTimeout(() => listener.link(change.to === 'locked' ? 'locked' : 'lost'), change.after);
  return () => clearTimeout(timer);
}

/** Ids in base36 only of the mock's own peers. */
function place(text: string, known: readonly string[]): { peer: string; path: string } {
  const goop = /^(?:goop:\/\/|https?:\/\/[^/]+\/p\/)?([0-9A-Za-z]{30,})(\/.*)?$/.exec(text);
  const peer = known.find((id) => siteLabel(id) === goop?.[1]) ?? goop?.[1];
  if (!peer || !siteLabel(peer)) {
    throw new Refusal({ code: 'invalid', message: `Not a Goop2 address. Goop2 addresses look like ${link({ peer: id('me'), path: '/' }).slice(0, 18)}…` });
  }
  return { peer, path: goop?.[2] ?? '/' };
}

function favorites(): PeerCard[] {
  return NORMAL.map((peer, i) => (i === 0 || i === 5 ? { ...peer, favourite: true } : i === 1 ? { ...peer, name: 'Downstairs' } : peer));
}

function names(): PeerCard[] {
  return [
    card('The extraordinarily long-winded workshop of Bartholomew & Co', 'nearby', lan(0.4)),
    card('دفتر الزوار في المقهى القديم على ضفة النهر', 'nearby', lan(12)),
    card('ספר האורחים של נועה', 'nearby', lan(3)),
    card('\u202eevil reversed\u202c name', 'nearby', null, { verified: false }),
    card('東京の小さな本棚', 'elsewhere', far('direct', 'quic', 240)),
    card('🌿 Garden', 'elsewhere', far('relayed', 'tcp', 1340)),
    card('', 'elsewhere', null),
    card('two\nlines\tand a tab', 'earlier', null, { seen: 0.2 }),
    card('ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ', 'earlier', null, { seen: 60 * 30 }),
  ];
}

function crowd(count: number): PeerCard[] {
  const first = ['Anna', 'Bo', 'Chidi', 'Dana', 'Emre', 'Fay', 'Goran', 'Hana', 'Ines', 'Jun', 'Kofi', 'Lena', 'Mira', 'Noor', 'Oskar', 'Pia'];
  const last = ['garden', 'radio', 'zines', 'library', 'workshop', 'kitchen', 'notes', 'chess club', 'darkroom', 'choir', 'bikes', 'maps'];
  return Array.from({ length: count }, (_, i) => {
    const label = `${first[i % first.length]}’s ${last[Math.floor(i / first.length) % last.length]} ${i}`;
    if (i < count * 0.1) return card(label, 'nearby', lan(1 + (i % 9)));
    if (i < count * 0.6) return card(label, 'elsewhere', far(i % 3 === 0 ? 'relayed' : 'direct', 'quic', 20 + (i % 200)));
    return card(label, 'earlier', null, { seen: i });
  });
}

function card(label: string, group: Group, path: Path | null, more: { seen?: number; verified?: boolean; avatar?: boolean; favourite?: boolean; name?: string } = {}): PeerCard {
  return {
    id: id(label),
    label,
    name: more.name ?? '',
    favourite: more.favourite ?? false,
    email: '',
    avatar_hash: more.avatar ? '0123456789abcdef' : '',
    group,
    verified: more.verified ?? true,
    last_seen: Date.now() - (more.seen ?? 0) * MINUTE,
    path,
  };
}

function lan(rtt: number): Path {
  return { kind: 'lan', transport: 'quic', rtt_ms: rtt, relay: null };
}

function far(kind: 'direct' | 'relayed', transport: Path['transport'], rtt: number): Path {
  const relay = kind === 'relayed' ? { id: id('relay'), label: 'meet.example.org' } : null;
  return { kind, transport, rtt_ms: rtt, relay };
}

/** A well-formed Ed25519 peer id that stays the same for a name: the fixed head of all of them, and 32 made-up bytes. */
function id(seed: string): string {
  let state = 0x9e3779b9;
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 0x85ebca6b) ^ (state >>> 13);
  let value = 0x0024080112n * 256n + 0x20n;
  for (let i = 0; i < 32; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + i;
    value = value * 256n + BigInt((state >>> 11) & 0xff);
  }
  let text = '';
  for (; value > 0n; value /= 58n) text = (BASE58[Number(value % 58n)] ?? '') + text;
  return `1${text}`;
}

/** An example picture. */
const HERON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 30"><rect width="30" height="30" fill="#d8e6e4"/><circle cx="21" cy="9" r="4" fill="#eeb35c"/><path d="M0 22q8-5 15 0t15 0v8H0z" fill="#4f8a8b"/><path d="M12 24V12q0-4 4-3l4 2-5 1v4" fill="none" stroke="#2b3a42" stroke-width="1.6"/></svg>',
)}`;
