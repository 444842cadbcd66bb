// Pretended networks, in the words of the peer: what the page and the report show. Development only, as `mock.ts`.

import type { Fact, Network, NetworkApi, PeerReach } from '..';

const TEST_MS = 2500;

const fact = (code: string, verdict: Fact['verdict'], title: string, detail: string, more: Partial<Fact> = {}): Fact => ({ code, verdict, title, detail, remedy: null, items: [], ...more });

const MACHINE = fact('address', 'good', 'This machine', 'It is in a network, and others in it can reach this peer.', {
  items: ['/ip4/192.168.1.17/tcp/40123', '/ip4/192.168.1.17/udp/40123/quic-v1', '/ip6/fd12:3456:789a::17/udp/40123/quic-v1'],
});
const MEET = fact('rendezvous', 'good', 'Rendezvous rendezvous.example', 'Connected; 2 other peers are there.');
const MULTICAST = fact('multicast', 'good', 'This network', 'Peers on this network find each other by themselves.');
const RELAY = fact('relay', 'good', 'Relay', 'It passes on, encrypted, what cannot go directly, and helps two peers to find a direct way.', {
  items: ['rendezvous.example: keeps a place for this peer'],
});
const CLOSED = fact('reachable', 'limited', 'Calls from outside', 'Another machine called this peer from outside, and did not get through: your router or a firewall lets in only answers. Peers who want to visit you are called back instead.', {
  remedy: 'Nothing, if visits work. For the fastest way, let the router pass port 40123 (TCP and UDP) on to this machine, or allow Goop2 in this machine’s firewall.',
  items: ['/ip4/203.0.113.7/udp/40123/quic-v1 does not arrive'],
});
const FORWARD = 'Switch on UPnP or NAT-PMP in the router, or let it pass port 40123 (TCP and UDP) on to this machine.';
const UNMAPPED = fact('mapping', 'limited', 'Port mapping', 'The router was asked to let calls in, and does not know how, or does not want to.', {
  remedy: 'Switch on UPnP or NAT-PMP in the router’s settings, or let it pass port 40123 (TCP and UDP) on to this machine.',
});

/** By the name of the scenario; any other has `home`. */
const STANDS: Record<string, Network> = {
  home: {
    verdict: 'good',
    headline: 'Peers everywhere reach this one, nearly all of them directly.',
    facts: [
      MACHINE,
      CLOSED,
      fact('nat', 'good', 'Your router', 'It hides this machine, but in a way that others can get through once both sides want it.', { items: ['/ip4/203.0.113.7/udp/40123/quic-v1 seen by 2 others'] }),
      fact('mapping', 'good', 'Port mapping', 'The router passes on what comes to this peer.', { items: ['/ip4/203.0.113.7/udp/40123/quic-v1', '/ip4/203.0.113.7/tcp/40123'] }),
      RELAY,
      MEET,
      MULTICAST,
    ],
    testing: false,
  },
  symmetric: {
    verdict: 'limited',
    headline: 'Peers everywhere reach this one, but some only through a relay, which is slower.',
    facts: [
      MACHINE,
      CLOSED,
      fact('nat', 'limited', 'Your router', 'It hides this machine behind a new port for every other machine, so that nobody can be told where to call. Peers behind such routers meet only through a relay.', { remedy: FORWARD }),
      UNMAPPED,
      RELAY,
      MEET,
      MULTICAST,
    ],
    testing: false,
  },
  hotel: {
    verdict: 'limited',
    headline: 'Many peers elsewhere cannot reach this one: your router lets nothing in, and there is no relay to help.',
    facts: [
      MACHINE,
      CLOSED,
      fact('nat', 'limited', 'Your router', 'Something in between, the router or a firewall, lets no UDP through. Connections use TCP instead: they work, but fewer are direct.', {
        remedy: 'Allow UDP in the firewall, if it is yours; networks of companies and hotels often do not.',
      }),
      UNMAPPED,
      fact('relay', 'limited', 'Relay', 'No rendezvous of yours has one. Two peers whose routers both let nothing in cannot meet without.', {
        remedy: 'Ask whoever runs the rendezvous to switch its relay on (presence.relay_port), or join another one that has it.',
      }),
      MEET,
      fact('multicast', 'limited', 'This network', 'Peers on this network are not found by themselves: the network does not pass on multicast.', {
        remedy: 'Visit a peer by its address, or join a rendezvous. In a guest network, devices are often kept apart.',
      }),
    ],
    testing: false,
  },
  unplugged: {
    verdict: 'broken',
    headline: 'This machine is in no network: nobody can be met.',
    facts: [
      fact('address', 'broken', 'This machine', 'It has no address in any network.', { remedy: 'Connect it to a network: Wi-Fi or cable.' }),
      fact('rendezvous', 'broken', 'Rendezvous rendezvous.example', 'It cannot be reached: there is no network that leads to rendezvous.example. It is tried again all the time.', {
        remedy: 'Check that this machine is on the Internet. If other pages open, the server is down: ask whoever runs it.',
      }),
      fact('multicast', 'good', 'This network', 'Peers on this network are being looked for.'),
    ],
    testing: false,
  },
  local: {
    verdict: 'good',
    headline: 'Peers on this network are met by themselves. To meet others, join a rendezvous.',
    facts: [MACHINE, MULTICAST],
    testing: false,
  },
};

export class MockNetwork {
  stand: Network;
  #changed: () => void;

  constructor(scenario: string, changed: () => void) {
    this.stand = { ...(STANDS[scenario] ?? (STANDS.home as Network)), testing: scenario === 'testing' };
    this.#changed = changed;
  }

  readonly api: NetworkApi = {
    test: async () => {
      this.#testing(true);
      setTimeout(() => this.#testing(false), TEST_MS);
    },
    report: async (redacted) => report(this.stand, redacted),
    reach: async (peer) => reach(peer),
  };

  #testing(testing: boolean): void {
    this.stand = { ...this.stand, testing };
    this.#changed();
  }
}

function report(network: Network, redacted: boolean): string {
  const facts = network.facts.map(({ title, verdict, detail, remedy, items }) => [`\n${title}: ${verdict}`, `  ${detail}`, ...(remedy ? [`  What to do: ${remedy}`] : []), ...items.map((item) => `  - ${item}`)].join('\n'));
  const text = [`Goop2 0.1.0 on linux`, `${network.verdict}: ${network.headline}`, ...facts].join('\n');
  return redacted ? text.replace(/\d+(\.\d+){3}|[0-9a-f]+(:[0-9a-f]*){3,}/g, '(address)').replaceAll('rendezvous.example', '(server)') : text;
}

function reach(id: string): PeerReach {
  const now = Date.now();
  const relay = { id: '12D3KooWRelay', label: 'rendezvous.example' };
  const direct = { kind: 'direct', transport: 'quic', rtt_ms: 34, relay: null } as const;
  return {
    id,
    path: direct,
    links: [
      { path: direct, remote: '/ip4/198.51.100.23/udp/4001/quic-v1', since: now - 58_000, received_bytes: 5_240_000, sent_bytes: 81_200 },
      { path: { kind: 'relayed', transport: 'tcp', rtt_ms: 88, relay }, remote: '/dns4/rendezvous.example/tcp/4001', since: now - 59_500, received_bytes: 912, sent_bytes: 640 },
    ],
    attempts: [
      { at: now - 60_000, what: 'Dialled 3 addresses', outcome: 'none of them answers', worked: false },
      { at: now - 59_500, what: 'Asked the relay rendezvous.example', outcome: 'connected through it', worked: true },
      { at: now - 58_000, what: 'Hole punching, started by the other side', outcome: 'connected over QUIC', worked: true },
    ],
  };
}
