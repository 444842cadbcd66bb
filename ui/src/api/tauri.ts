// The UI in the desktop window: commands and events of the shell. The only file that knows Tauri.

import { invoke } from '@tauri-apps/api/core';
import { listen, type EventCallback } from '@tauri-apps/api/event';
import { copyText } from './clipboard';
import { UNTOLD, onBlockedNavigation } from './blocked-navigation';
import {
  Refusal,
  type Api,
  type Denied,
  type Details,
  type Key,
  type Listener,
  type LogLine,
  type Navigated,
  type NetworkApi,
  type PeerReach,
  type PeopleApi,
  type Place,
  type Qr,
  type Refused,
  type RendezvousApi,
  type Saved,
  type Session,
  type Settings,
  type SettingsApi,
  type Shell,
  type ShellApi,
  type Stop,
} from './index';
import { Reader } from './reader';
import { appWindow } from './tab';
import { tables } from './tables';
import { tauriSite } from './tauri-site';

export const inTauri = (): boolean => '__TAURI_INTERNALS__' in window;

export function tauri(): Api {
  return {
    session: () => call<Session>('session'),
    subscribe,
    reconnect: () => {},
    opening: () => ({ ports: false, place: null }),
    origin: ({ peer }, stranger) => call<string>('origin', { peer, stranger }),
    onNavigated: (callback) => on<Navigated>('navigated', ({ payload }) => callback(payload)),
    place: (text) => call<Place>('place', { text }),
    addAddress: (address) => call<string>('add_address', { address }),
    avatar: (peer, hash) => (hash === '' ? Promise.resolve(null) : call<string | null>('avatar', { peer, hash }).catch(() => null)),
    rendezvous,
    network,
    qr: (text) => call<Qr>('qr', { text }),
    preference: (key) => call<unknown>('preference', { key }),
    prefer: (key, value) => call<void>('prefer', { key, value }),
    settings,
    people,
    site: tauriSite(call, send),
    tables: tables((request) => call('tables', { request }), (table, format) => call<Saved>('export_table', { table, format })),
    logs: (since) => call<LogLine[]>('logs', { since }),
    onDenied: (callback) => on<Denied>('denied', ({ payload }) => callback(payload)),
    // The window stops such navigations itself, and reports them as refused.
    onLeaving: () => () => {},
    leave: (url) => call<void>('open_external', { url }),
    mayNotify: async () => true,
    notify: shell.notify,
    openExternal: (url) => call<void>('open_external', { url }),
    copy: copyText,
    tab: appWindow,
    shell,
  };
}

const rendezvous: RendezvousApi = {
  address: (text) => call<string>('rendezvous_address', { text }),
  join: (text) => call<string>('join_rendezvous', { text }),
  leave: (url) => call<void>('leave_rendezvous', { url }),
  host: (host) => call<void>('host_rendezvous', { host }),
  password: () => call<string>('admin_password'),
  register: (url, email) => call<string>('register', { url, email }),
};

const network: NetworkApi = {
  test: () => call<void>('test_network'),
  report: (redacted) => call<string>('network_report', { redacted }),
  reach: (peer) => call<PeerReach>('peer_reach', { peer }),
};

const shell: ShellApi = {
  subscribe: (listener) => follow<Shell>('shell', listener, () => {}),
  onRefused: (callback) => {
    const stops = [on<Refused>('refused', ({ payload }) => callback(payload)), onBlockedNavigation((url) => url !== UNTOLD && callback({ what: 'link', url }))];
    return () => stops.forEach((stop) => stop());
  },
  onOpened: (callback) => on<Place>('opened', ({ payload }) => callback(payload)),
  onKey: (callback) => on<Key>('key', ({ payload }) => callback(payload)),
  zoom: (factor) => call<boolean>('zoom', { factor }),
  find: (look, open) => call<void>('find', { look, open }),
  create: (name) => call<void>('create_peer', { name }),
  open: (folder) => call<void>('open_peer', { folder }),
  goOnline: () => call<void>('go_online'),
  goOffline: () => call<void>('go_offline'),
  answered: (number) => call<void>('answered', { number }),
  openFolder: () => call<void>('open_folder'),
  pickFolder: () => call<string | null>('pick_folder'),
  pickFiles: () => call<string[]>('pick_files'),
  onDropped: (callback) => on<string[]>('dropped', ({ payload }) => callback(payload)),
  openFile: (path) => call<void>('open_file', { path }),
  showFile: (path) => call<void>('show_file', { path }),
  saveLog: (text) => call<string>('save_log', { text }),
  setClosing: (closing) => call<void>('set_closing', { closing }),
  setAutostart: (on) => call<void>('set_autostart', { on }),
  close: () => call<void>('close_window'),
  hide: () => call<void>('hide_window'),
  quit: () => call<void>('quit'),
  notify: (title, body) => call<void>('notify', { title, body }),
};

const settings: SettingsApi = {
  all: () => call<Settings>('settings'),
  change: (values) => call<Settings>('change_settings', { values }),
  replace: (before, text) => call<Settings>('replace_settings', { before, text }),
  renewIdentity: () => call<void>('renew_identity'),
  setAvatar: async (png) => void (await call<string>('set_avatar', { png: png && (await base64(png)) })),
};

const people: PeopleApi = {
  note: (peer, note) => call<void>('note', { peer, note }),
  details: (peer) => call<Details>('details', { peer }),
  tryAgain: (peer) => call<void>('try_again', { peer }),
};

async function base64(blob: Blob): Promise<string> {
  let text = '';
  for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Snapshots arrive while the peer runs, for everyone or offline for its owner alone; between two runs nothing does. */
function subscribe(listener: Listener): Stop {
  const reader = new Reader((value) => {
    listener.snapshot(value);
    listener.link('live');
  });
  const lost = (): void => {
    reader.forget();
    listener.link('lost');
  };
  const stops = [
    follow<string>('snapshot', (text) => reader.read(text), lost),
    on<Shell>('shell', ({ payload }) => !['online', 'offline'].includes(payload.stage.is) && lost()),
  ];
  return () => stops.forEach((stop) => stop());
}

/** Listens before it asks, so that no change is missed; an event that overtakes the answer is newer. */
function follow<T>(name: string, receive: (value: T) => void, refused: () => void): Stop {
  let received = false;
  let stopped = false;
  const emit = (value: T): void => {
    if (stopped) return;
    received = true;
    receive(value);
  };
  const listening = listen<T>(name, ({ payload }) => emit(payload));
  listening
    .then(() => call<T>(name))
    .then(
      (value) => void (received || emit(value)),
      () => void (received || stopped || refused()),
    );
  return () => {
    stopped = true;
    void listening.then((stop) => stop());
  };
}

function on<T>(name: string, callback: EventCallback<T>): Stop {
  const listening = listen<T>(name, callback);
  return () => void listening.then((stop) => stop());
}

const call = <T>(command: string, args?: Record<string, unknown>): Promise<T> => answered(invoke<T>(command, args));
/** Bytes, and where they go as the query of an address: a header has no other letters. */
const send = <T>(command: string, bytes: Uint8Array, to: Record<string, string>): Promise<T> => answered(invoke<T>(command, bytes, { headers: { to: `${new URLSearchParams(to)}` } }));

async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (thrown) {
    throw Refusal.from(thrown, typeof thrown === 'string' ? thrown : 'That didn’t work. Try again.');
  }
}
