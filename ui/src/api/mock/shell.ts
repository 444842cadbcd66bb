// The mock app around the mock peer. `?scenario=` chooses what it shows; the names are the keys of SCENARIOS, and any other is a
// peer that is online.

import { Refusal, type PeerCard, type Refused, type Shell, type ShellApi, type Stage, type Wish } from '..';

/** How long a start or a stop takes. */
const TRANSITION_MS = 500;

interface Scenario {
  stage?: Stage;
  wish?: Wish;
  refused?: Refused;
  tray?: false;
  /** Lists each of the user's sites this often. */
  profiles?: number;
}

const PEER = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const SCENARIOS: Record<string, Scenario> = {
  first: { stage: { is: 'first', name: 'Mira Sol' } },
  choosing: { stage: { is: 'choosing' } },
  starting: { stage: { is: 'starting' } },
  offline: { stage: { is: 'offline' } },
  stopping: { stage: { is: 'stopping' } },
  crashed: { stage: { is: 'crashed', reason: 'Goop2 lost its port 8080 on this computer, where it shows sites.' } },
  broken: { stage: { is: 'crashed', reason: 'p2p.listen_port is "x", but must be a number from 0 to 65535.' } },
  'ask-visit': { wish: { to: 'visit', peer: PEER, path: '/guestbook.html' } },
  'ask-connect': { wish: { to: 'connect', url: 'https://meet.example.org/' } },
  'ask-switch': { wish: { to: 'switch', folder: '/home/mira/peers/workshop' } },
  'ask-nowhere': { wish: { to: 'nowhere', link: PEER.toLowerCase() } },
  'ask-close': { wish: { to: 'close' } },
  external: { refused: { what: 'link', url: 'https://example.org/a/page?with=more' } },
  email: { refused: { what: 'link', url: 'mailto:mira@example.org' } },
  invitation: { refused: { what: 'link', url: 'goop://connect?url=https://meet.example.org' } },
  chat: { refused: { what: 'link', url: 'xmpp:' } },
  nowhere: { refused: { what: 'link', url: 'goop://nobody/' } },
  twice: { profiles: 2 },
  trayless: { tray: false },
  download: { refused: { what: 'download' } },
};

/** A link to someone whom the user gave another name. */
function named(name: string, peers: readonly PeerCard[]): Scenario {
  const peer = name === 'ask-named' ? peers.find((peer) => peer.name !== '') : undefined;
  return peer ? { wish: { to: 'visit', peer: peer.id, path: '/' } } : {};
}

const PROFILES = [
  { folder: '/home/mira/.local/share/goop2/peers/mira-s-corner', label: 'Mira’s corner' },
  { folder: '/home/mira/peers/workshop', label: 'The workshop' },
];

export function mockShell(name: string, peers: readonly PeerCard[]): ShellApi {
  const scenario = SCENARIOS[name] ?? named(name, peers);
  const listeners = new Set<(value: Shell) => void>();
  let shell: Shell = {
    stage: scenario.stage ?? { is: 'online' },
    folder: '/home/mira/.local/share/goop2/peers/mira-s-corner',
    profiles: Array.from({ length: scenario.profiles ?? 1 }, () => PROFILES).flat(),
    ask: scenario.wish ? { number: 1, wish: scenario.wish } : null,
    closing: 'ask',
    tray: scenario.tray ?? true,
    autostart: false,
  };
  const change = (part: Partial<Shell>): void => {
    shell = { ...shell, ...part };
    for (const listener of listeners) listener(shell);
  };
  const becomes = async (through: Stage, then: Stage, part: Partial<Shell> = {}): Promise<void> => {
    change({ stage: through, ...part });
    await new Promise((done) => setTimeout(done, TRANSITION_MS));
    change({ stage: then });
  };

  return {
    subscribe: (listener) => {
      listeners.add(listener);
      listener(shell);
      return () => listeners.delete(listener);
    },
    onRefused: (callback) => {
      if (scenario.refused) callback(scenario.refused);
      return () => {};
    },
    onOpened: () => () => {},
    onKey: () => () => {},
    zoom: async () => false,
    find: async () => {},
    create: async (label) => {
      if (label.trim() === '') throw new Refusal({ code: 'name', message: 'Enter a name. It’s what others see.' });
      const folder = `/home/mira/.local/share/goop2/peers/${label}`;
      change({ stage: { is: 'choosing' }, folder, profiles: [...shell.profiles, { folder, label }] });
    },
    open: async (folder) => {
      if (!folder.startsWith('/')) throw new Refusal({ code: 'folder', message: `${folder} isn’t a Goop2 site: there’s no goop.json in it.` });
      await becomes({ is: 'starting' }, { is: 'online' }, { folder });
    },
    goOnline: () => becomes({ is: 'starting' }, { is: 'online' }),
    goOffline: () => becomes({ is: 'stopping' }, { is: 'offline' }),
    answered: async () => change({ ask: null }),
    openFolder: async () => {
      if (name === 'stuck') throw new Refusal({ code: 'open', message: 'No program on this computer opens folders.' });
    },
    openFile: async () => {},
    showFile: async () => {},
    pickFolder: async () => '/home/mira/Pictures',
    pickFiles: async () => ['/home/mira/Pictures/heron.jpg', '/home/mira/Pictures/reeds.jpg'],
    onDropped: () => () => {},
    saveLog: async () => '/home/mira/Downloads/goop2-log.txt',
    setClosing: async (closing) => change({ closing }),
    setAutostart: async (autostart) => change({ autostart }),
    close: async () => change({ ask: { number: 1, wish: { to: 'close' } } }),
    hide: async () => {},
    quit: async () => {},
    notify: async () => {},
  };
}
