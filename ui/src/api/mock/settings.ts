// The mock peer's settings, people and log.

import { Refusal, type Details, type LogLevel, type LogLine, type Note, type PeerCard, type PeopleApi, type Settings, type SettingsApi, type Snapshot } from '..';

/** What the mock peer knows about itself and others; changed in place. */
export interface World {
  me: Snapshot['me'];
  peers: PeerCard[];
}

const NOISE: readonly (readonly [LogLevel, string, string])[] = [
  ['info', 'goop2_viewer', 'viewer is listening port=8080'],
  ['debug', 'goop2_node::event_loop', 'connected peer=12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA remote=/ip4/192.168.1.20/tcp/40123 dialled=true'],
  ['debug', 'goop2_node::event_loop', 'identified peer=12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA agent="goop2/0.1.0"'],
  ['warn', 'goop2_rendezvous::client', 'the rendezvous doesn’t answer url=https://rendezvous.example/'],
  ['error', 'goop2_store', 'can’t write /home/mira/peers/mine/goop.json: no space left on device'],
];

/** Settings that take effect without a restart. */
const LIVE = /^profile\.|^site\.|^viewer\.site_sources$/;

export class MockSettings {
  /** As the peer keeps them. */
  #settings: Settings;
  #blocked = new Map<string, PeerCard>();
  #trusted = new Set<string>();
  #lines: LogLine[] = [];
  #world: World;
  #emit: () => void;

  constructor(world: World, emit: () => void, lines: number, problem: string | null) {
    this.#world = world;
    this.#emit = emit;
    this.#settings = {
      label: world.me.label,
      email: world.me.email,
      mdns: true,
      mdns_tag: 'goop-mdns',
      listen_port: 0,
      port_mapping: true,
      http_addr: '',
      site_sources: [],
      folder: '/home/mira/.local/share/goop2/peers/mine',
      text: '',
      blocked: [],
      problem,
      restarting: false,
    };
    this.#settings.text = this.#text();
    for (let i = 0; i < lines; i++) this.#log(Date.now() - (lines - i) * 900);
  }

  readonly api: SettingsApi = {
    all: async () => structuredClone(this.#settings),
    change: async (values) => {
      for (const [name, value] of Object.entries(values)) this.#set(name, value);
      return this.#done();
    },
    replace: async (before, text) => {
      if (before !== this.#settings.text) throw new Refusal({ code: 'invalid', message: 'goop.json changed in the meantime. Open it again, then make your change.' });
      let json: { profile?: { label?: string } };
      try {
        json = JSON.parse(text) as typeof json;
      } catch (error) {
        throw new Refusal({ code: 'setting', message: `This isn’t valid JSON: ${String(error)}` });
      }
      if (json.profile?.label !== undefined) this.#settings.label = this.#world.me.label = json.profile.label;
      this.#settings.text = text;
      this.#settings.problem = null;
      this.#emit();
      return structuredClone(this.#settings);
    },
    renewIdentity: async () => {},
    setAvatar: async (png) => {
      this.#world.me = { ...this.#world.me, avatar_hash: png ? String(png.size).padStart(16, '0') : '' };
      this.#emit();
    },
  };

  readonly people: PeopleApi = {
    note: async (peer, note) => this.#note(peer, note),
    tryAgain: async () => {},
    details: async (peer): Promise<Details> => ({
      id: peer,
      link: `goop://${peer}/`,
      addresses: ['/ip4/192.168.1.20/tcp/40123', '/ip4/192.168.1.20/udp/40123/quic-v1', '/ip6/fd12:3456:789a::20/udp/40123/quic-v1'],
      sees_peers: this.#trusted.has(peer),
    }),
  };

  logs(since: number): LogLine[] {
    this.#log(Date.now());
    return this.#lines.filter((line) => line.seq >= since);
  }

  #note(id: string, note: Note): void {
    if (note.sees_peers !== undefined) this.#trusted[note.sees_peers ? 'add' : 'delete'](id);
    const peers = this.#world.peers.map((peer) => (peer.id === id ? { ...peer, name: note.name?.trim() ?? peer.name, favourite: note.favourite ?? peer.favourite } : peer));
    const found = peers.find((peer) => peer.id === id) ?? this.#blocked.get(id);
    if (note.blocked === true && found) this.#blocked.set(id, found);
    if (note.blocked === false && found) {
      this.#blocked.delete(id);
      if (!peers.includes(found)) peers.push(found);
    }
    this.#world.peers = peers.filter((peer) => !this.#blocked.has(peer.id));
    this.#settings.blocked = [...this.#blocked.values()].map((peer) => ({ id: peer.id, label: peer.name || peer.label }));
    this.#emit();
  }

  #set(name: string, value: unknown): void {
    const key = name.slice(name.indexOf('.') + 1) as keyof Settings;
    if (name === 'p2p.mdns_tag' && !/^[\w-]{1,63}$/.test(String(value)))
      throw new Refusal({ code: 'setting', message: `${name} is ${JSON.stringify(value)}, but must be 1 to 63 letters, digits, "-" and "_"` });
    if (name === 'viewer.site_sources' && !(value as string[]).every((source) => /^(https?|wss?):\/\/[\w.-]+(:\d+)?$/.test(source)))
      throw new Refusal({ code: 'setting', message: `${name} is ${JSON.stringify(value)}, but must be a list of at most 16 origins` });
    Object.assign(this.#settings, { [key]: value, restarting: !LIVE.test(name) });
  }

  #done(): Settings {
    this.#settings.text = this.#text();
    Object.assign(this.#world.me, { label: this.#settings.label, email: this.#settings.email });
    this.#world.me = { ...this.#world.me };
    this.#emit();
    setTimeout(() => (this.#settings.restarting = false), 1500);
    return structuredClone(this.#settings);
  }

  #text(): string {
    const { label, email, mdns, mdns_tag, listen_port, port_mapping, http_addr, site_sources } = this.#settings;
    return `${JSON.stringify({ profile: { label, email }, p2p: { listen_port, port_mapping, mdns, mdns_tag }, viewer: { http_addr, site_sources } }, null, 2)}\n`;
  }

  #log(at: number): void {
    const seq = (this.#lines.at(-1)?.seq ?? -1) + 1;
    const [level, target, text] = NOISE[(seq * 7) % NOISE.length] ?? ['info', 'goop2', 'nothing'];
    this.#lines.push({ seq, at, level: seq % 11 && level === 'error' ? 'info' : level, target, text });
    this.#lines = this.#lines.slice(-2000);
  }
}
