// Mock rendezvous: every state of joining, hosting and registering.

import { Refusal, type Host, type Hosting, type Joined, type Qr, type Rendezvous, type RendezvousApi } from '..';

const MINUTE = 60_000;
/** How long a mock server takes to answer. */
const ANSWER_MS = 900;

const OFF: Hosting = {
  state: 'off',
  problem: null,
  port: 8787,
  bind: '',
  relay_port: 0,
  connect_urls: [],
  public_page: '',
  admin_page: '',
  peers: 0,
  relayed: null,
  messages_per_second: 0,
};

const ON: Hosting = {
  ...OFF,
  state: 'on',
  relay_port: 4002,
  connect_urls: ['http://192.168.1.20:8787', 'http://[2001:db8::20]:8787'],
  public_page: 'http://127.0.0.1:8787/',
  admin_page: 'http://127.0.0.1:8787/admin',
  peers: 14,
  relayed: 3,
  messages_per_second: 28,
};

const FRIENDS = joined('https://rendezvous.example', { peers: 2, relay: 'ready' });

/** By the name of the scenario; any other has `one`. */
const SCENARIOS: Record<string, Rendezvous> = {
  one: { joined: [FRIENDS], hosting: OFF },
  none: { joined: [], hosting: OFF },
  hosting: { joined: [FRIENDS], hosting: ON },
  stuck: { joined: [FRIENDS], hosting: ON },
  states: {
    joined: [
      FRIENDS,
      joined('https://alone.example', { peers: 0 }),
      joined('https://new.example', { state: 'connecting' }),
      joined('https://meet.exmaple', { state: 'lost', reason: 'meet.exmaple was not found. Check the spelling, and whether this computer is online.' }),
      joined('https://old-certificate.example', { state: 'lost', reason: 'The certificate of old-certificate.example could not be verified: certificate has expired.' }),
      joined('http://192.168.1.5:8787', { state: 'lost', reason: '192.168.1.5:8787 doesn’t answer.' }),
      joined('https://www.example', { state: 'refused', reason: 'There’s no rendezvous at https://www.example.' }),
      joined('https://strict.example', { state: 'refused', reason: 'The administrator of this rendezvous has blocked you.' }),
      joined('https://a-rather-long-name-of-a-rendezvous-that-somebody-chose.dynamic.provider.example:8787/behind/a/path', { peers: 12408, relay: 'offered' }),
    ],
    hosting: OFF,
  },
  twice: { joined: [FRIENDS, FRIENDS], hosting: { ...ON, connect_urls: [...ON.connect_urls, ...ON.connect_urls] } },
  register: { joined: [joined('https://members.example', { registration: 'required', peers: 31, relay: 'offered' })], hosting: OFF },
  registered: { joined: [joined('https://members.example', { registration: 'registered', peers: 31, relay: 'offered' })], hosting: OFF },
  taken: { joined: [], hosting: { ...OFF, state: 'failed', problem: 'Port 8787 is in use by another program. Choose another port or stop that program.' } },
  unreachable: {
    joined: [],
    hosting: { ...ON, connect_urls: [], peers: 1, messages_per_second: 0, problem: 'This computer isn’t connected to a network, so nobody else can reach it.' },
  },
};

export class MockRendezvous {
  state: Rendezvous;
  #changed: () => void;

  constructor(scenario: string, changed: () => void) {
    this.state = SCENARIOS[scenario] ?? (SCENARIOS.one as Rendezvous);
    this.#changed = changed;
  }

  readonly api: RendezvousApi = {
    address: async (text) => address(text),
    join: async (text) => {
      const url = address(text);
      await later();
      if (!this.state.joined.some((known) => known.url === url)) {
        this.#put([...this.state.joined, joined(url, { state: 'connecting' })]);
        void later().then(() => this.#put(this.state.joined.map((known) => (known.url === url ? answer(url) : known))));
      }
      return url;
    },
    leave: async (url) => this.#put(this.state.joined.filter((known) => known.url !== url)),
    host: async (host) => {
      await later();
      this.state = { ...this.state, hosting: hosting(host) };
      this.#changed();
    },
    password: async () => 'k3wap-7hnqz-mvb4e-2dfxt',
    register: async (url) => {
      await later();
      void later(6).then(() => this.#put(this.state.joined.map((known) => (known.url === url ? { ...known, registration: 'registered' } : known))));
      return 'We’ve sent you a link. Open it within 24 hours to finish.';
    },
  };

  #put(joined: Joined[]): void {
    this.state = { ...this.state, joined };
    this.#changed();
  }
}

/** Looks like a QR code and means nothing. */
export function qr(text: string): Qr {
  const size = 37;
  let path = '';
  let state = text.length;
  for (const at of [
    [4, 4],
    [26, 4],
    [4, 26],
  ] as const)
    path += `M${at[0]} ${at[1]}h7v7h-7zm1 1v5h5v-5zm1 1h3v3h-3z`;
  for (let i = 0; i < size * size; i++) {
    const [x, y] = [i % size, Math.floor(i / size)];
    const inside = x > 3 && x < size - 4 && y > 3 && y < size - 4 && !((x < 12 || x > 24) && y < 12) && !(x < 12 && y > 24);
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + i) >>> 0;
    if (inside && state % 2) path += `M${x} ${y}h1v1h-1z`;
  }
  return { size, path };
}

function hosting(host: Host): Hosting {
  if (!host.on) return { ...OFF, port: host.port, bind: host.bind };
  if (host.port < 1024) return { ...OFF, state: 'failed', port: host.port, problem: `Port ${host.port} requires administrator rights. Choose a port above 1023.` };
  return { ...ON, port: host.port, bind: host.bind, relay_port: host.relay_port, relayed: host.relay_port ? 0 : null, connect_urls: [`http://${host.bind || '192.168.1.20'}:${host.port}`], peers: 1, messages_per_second: 0 };
}

function answer(url: string): Joined {
  const { hostname } = new URL(url);
  if (hostname.startsWith('members')) return joined(url, { registration: 'required' });
  if (hostname.startsWith('www')) return joined(url, { state: 'refused', reason: `There’s no rendezvous at ${url}.` });
  return joined(url, { peers: 2, relay: 'ready' });
}

/** Roughly as the peer understates it. */
function address(text: string): string {
  const refuse = (message: string): never => {
    throw new Refusal({ code: 'invalid', message });
  };
  const inner = /^goop:\/\/connect\?url=(.*)$/.exec(text.trim())?.[1];
  const trimmed = inner === undefined ? text.trim() : decodeURIComponent(inner);
  if (trimmed === '') return refuse('Enter an address.');
  const [, scheme] = /^([a-z]+):\/\//i.exec(trimmed) ?? [];
  if (scheme && !/^https?$/i.test(scheme)) return refuse(`Start the address with https:// or http://, not ${scheme}:.`);
  try {
    const url = new URL(scheme ? trimmed : `https://${trimmed}`);
    return `${url.origin}${url.pathname.replace(/\/(register|admin|docs|verify)?\/?$/, '')}`;
  } catch {
    return refuse('Not a web address. It should look like https://goop.example.org or http://192.168.1.5:8787.');
  }
}

function joined(url: string, more: Partial<Joined> = {}): Joined {
  const state = more.state ?? 'connected';
  const now = Date.now();
  return {
    url,
    name: url.replace(/^https?:\/\//, ''),
    state,
    reason: null,
    peers: 0,
    relay: 'none',
    since: state === 'connected' ? now - 14 * MINUTE : null,
    next: state === 'lost' || state === 'refused' ? now + 4000 : null,
    registration: 'none',
    ...more,
  };
}

const later = (times = 1): Promise<void> => new Promise((done) => setTimeout(done, times * ANSWER_MS));
