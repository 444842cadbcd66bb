// Mock networks, in the peer's own words: what the page and the report show.

import type { Fact, Network, NetworkApi, PeerReach } from '..';

const TEST_MS = 2500;

const fact = (code: string, verdict: Fact['verdict'], title: string, detail: string, more: Partial<Fact> = {}): Fact => ({ code, verdict, title, detail, remedy: null, items: [], ...more });

const COMPUTER = fact('address', 'good', 'This computer', 'Connected. Others on this network can reach you.', {
  items: ['/ip4/192.168.1.17/tcp/40123', '/ip4/192.168.1.17/udp/40123/quic-v1', '/ip6/fd12:3456:789a::17/udp/40123/quic-v1'],
});
const JOINED = fact('rendezvous', 'good', 'Rendezvous rendezvous.example', 'Connected. 2 other peers are online there.');
const MULTICAST = fact('multicast', 'good', 'This network', 'Peers on this network find each other automatically.');
const RELAY = fact('relay', 'good', 'Relay', 'Passes on encrypted traffic when a direct connection isn’t possible, and helps peers connect directly.', {
  items: ['rendezvous.example: reservation for this peer'],
});
const CLOSED = fact('reachable', 'limited', 'Incoming connections', 'A test connection from outside failed: your router or a firewall blocks it. Goop2 connects back to visitors instead.', {
  remedy: 'Nothing, if visits work. For faster connections, forward port 40123 (TCP and UDP) to this computer in your router, or allow Goop2 in this computer’s firewall.',
  items: ['/ip4/203.0.113.7/udp/40123/quic-v1 not reachable'],
});
const FORWARD = 'Turn on UPnP or NAT-PMP in your router, or forward port 40123 (TCP and UDP) to this computer.';
const UNMAPPED = fact('mapping', 'limited', 'Port mapping', 'The router didn’t open a port. UPnP or NAT-PMP may be turned off.', {
  remedy: 'Turn on UPnP or NAT-PMP in your router’s settings, or forward port 40123 (TCP and UDP) to this computer.',
});

/** By the name of the scenario; any other has `home`. */
const SCENARIOS: Record<string, Network> = {
  home: {
    verdict: 'good',
    headline: 'Others can reach you from anywhere, almost always directly.',
    facts: [
      COMPUTER,
      CLOSED,
      fact('nat', 'good', 'Your router', 'It hides this computer, but direct connections work once both sides try.', { items: ['/ip4/203.0.113.7/udp/40123/quic-v1 seen by 2 others'] }),
      fact('mapping', 'good', 'Port mapping', 'Your router forwards incoming connections to this computer.', { items: ['/ip4/203.0.113.7/udp/40123/quic-v1', '/ip4/203.0.113.7/tcp/40123'] }),
      RELAY,
      JOINED,
      MULTICAST,
    ],
    testing: false,
  },
  symmetric: {
    verdict: 'limited',
    headline: 'Others can reach you from anywhere, but some only through a relay, which is slower.',
    facts: [
      COMPUTER,
      CLOSED,
      fact('nat', 'limited', 'Your router', 'It uses a different port for every connection, so others can’t know where to connect. Peers behind routers like this need a relay to connect.', { remedy: FORWARD }),
      UNMAPPED,
      RELAY,
      JOINED,
      MULTICAST,
    ],
    testing: false,
  },
  hotel: {
    verdict: 'limited',
    headline: 'Many people on other networks may not reach you: there is no relay to help.',
    facts: [
      COMPUTER,
      CLOSED,
      fact('nat', 'limited', 'Your router', 'Your router or a firewall blocks UDP. Connections use TCP instead: they work, but fewer are direct.', {
        remedy: 'Allow UDP in the firewall if it’s yours. Company and hotel networks often block it.',
      }),
      UNMAPPED,
      fact('relay', 'limited', 'Relay', 'None of your rendezvous servers has one. Two peers whose routers both block incoming connections need a relay to connect.', {
        remedy: 'Ask the administrator of the rendezvous to turn on its relay (presence.relay_port), or join one that has a relay.',
      }),
      JOINED,
      fact('multicast', 'limited', 'This network', 'Peers on this network aren’t found automatically: the network blocks multicast.', {
        remedy: 'Add a peer by its address, or join a rendezvous. If this computer has a firewall, allow UDP port 5353. Guest networks often keep devices apart.',
      }),
    ],
    testing: false,
  },
  unplugged: {
    verdict: 'broken',
    headline: 'This computer is not connected to a network.',
    facts: [
      fact('address', 'broken', 'This computer', 'No network address.', { remedy: 'Connect it to a network by Wi-Fi or cable.' }),
      fact('rendezvous', 'broken', 'Rendezvous rendezvous.example', 'It can’t be reached: rendezvous.example can’t be reached from this network. Goop2 keeps trying.', {
        remedy: 'Check that this computer is on the Internet. If other websites open, the server may be down: ask its administrator.',
      }),
      fact('multicast', 'good', 'This network', 'Looking for peers on this network.'),
    ],
    testing: false,
  },
  /** Two servers on one host, and details that repeat. */
  twice: { verdict: 'good', headline: 'Others can reach you from anywhere, almost always directly.', facts: [COMPUTER, JOINED, JOINED, { ...RELAY, items: [...RELAY.items, ...RELAY.items] }, MULTICAST], testing: false },
  local: {
    verdict: 'good',
    headline: 'Peers on this network are found automatically. To reach others, join a rendezvous.',
    facts: [COMPUTER, MULTICAST],
    testing: false,
  },
};

export class MockNetwork {
  state: Network;
  #changed: () => void;
  #twice: boolean;

  constructor(scenario: string, changed: () => void) {
    this.#twice = scenario === 'twice';
    this.state = { ...(SCENARIOS[scenario] ?? (SCENARIOS.home as Network)), testing: scenario === 'testing' };
    this.#changed = changed;
  }

  readonly api: NetworkApi = {
    test: async () => {
      this.#testing(true);
      setTimeout(() => this.#testing(false), TEST_MS);
    },
    report: async (redacted) => report(this.state, redacted),
    reach: async (peer) => (this.#twice ? twice(reach(peer)) : reach(peer)),
  };

  #testing(testing: boolean): void {
    this.state = { ...this.state, testing };
    this.#changed();
  }
}

function report(network: Network, redacted: boolean): string {
  const facts = network.facts.map(({ title, verdict, detail, remedy, items }) => [`\n${title}: ${verdict}`, `  ${detail}`, ...(remedy ? [`  What to do: ${remedy}`] : []), ...items.map((item) => `  - ${item}`)].join('\n'));
  const text = [`Goop2 0.1.0 on linux`, `${network.verdict}: ${network.headline}`, ...facts].join('\n');
  return redacted ? text.replace(/\d+(\.\d+){3}|[0-9a-f]+(:[0-9a-f]*){3,}/g, '(address)').replaceAll('rendezvous.example', '(server)') : text;
}

const twice = (reach: PeerReach): PeerReach => ({ ...reach, links: [...reach.links, ...reach.links], attempts: [...reach.attempts, ...reach.attempts] });

function reach(id: string): PeerReach {
  const now = Date.now();
  const relay = { id: '12D3KooWRelay', label: 'rendezvous.example' };
  const direct = { kind: 'direct', transport: 'quic', rtt_ms: 34, relay: null } as const;
  return {
    id,
    path: direct,
    links: [
      { path: direct, remote: '/ip4/198.51.100.23/udp/4001/quic-v1', since: now - 58_000, received_bytes: 5_240_000, sent_bytes: 81_200 },
      { path: { kind: 'relayed', transport: 'tcp', rtt_ms: 88, relay }, remote: '/dns4/rendezvous.example/tcp/4002', since: now - 59_500, received_bytes: 912, sent_bytes: 640 },
    ],
    attempts: [
      { at: now - 60_000, what: 'Dialed 3 addresses', outcome: 'none of them answered', worked: false },
      { at: now - 59_500, what: 'Asked the relay rendezvous.example', outcome: 'connected through it', worked: true },
      { at: now - 58_000, what: 'Hole punching, started by the other side', outcome: 'connected over QUIC', worked: true },
    ],
  };
}
