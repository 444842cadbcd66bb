// The UI in the desktop window: commands and events of the shell. The only file that knows Tauri.

import { invoke } from '@tauri-apps/api/core';
import { listen, type EventCallback } from '@tauri-apps/api/event';
import { copyText } from './clipboard';
import { Refusal, type Api, type Listener, type Navigated, type NetworkApi, type PeerReach, type Place, type Qr, type RendezvousApi, type Session, type Snapshot, type Stop } from './index';

export const inTauri = (): boolean => '__TAURI_INTERNALS__' in window;

export function tauri(): Api {
  return {
    session: () => call<Session>('session'),
    subscribe,
    reconnect: () => {},
    opening: () => ({ ports: false, place: null }),
    origin: ({ peer }) => call<string>('origin', { peer }),
    onNavigated: (callback) => on<Navigated>('navigated', ({ payload }) => callback(payload)),
    place: (text) => call<Place>('place', { text }),
    addAddress: (address) => call<string>('add_address', { address }),
    avatar: (peer, hash) => (hash === '' ? Promise.resolve(null) : call<string | null>('avatar', { peer, hash }).catch(() => null)),
    rendezvous,
    network,
    qr: (text) => call<Qr>('qr', { text }),
    preference: (key) => call<unknown>('preference', { key }),
    prefer: (key, value) => call<void>('prefer', { key, value }),
    openExternal: (url) => call<void>('open_external', { url }),
    copy: copyText,
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

/** Listens before it asks, so that no change falls between the two; an event that overtakes the answer is the newer one. */
function subscribe(listener: Listener): Stop {
  let heard = false;
  let stopped = false;
  const hear = (value: Snapshot): void => {
    if (stopped) return;
    heard = true;
    listener.snapshot(value);
    listener.link('live');
  };
  const listening = listen<Snapshot>('snapshot', ({ payload }) => hear(payload));
  listening
    .then(() => call<Snapshot>('snapshot'))
    .then(
      (value) => void (heard || hear(value)),
      () => void (heard || stopped || listener.link('lost')),
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

async function call<T>(command: string, args?: Record<string, unknown>): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (thrown) {
    throw Refusal.from(thrown, typeof thrown === 'string' ? thrown : 'Goop2 could not do this. Try again.');
  }
}
