// The UI in a browser, served by the viewer itself. What can be missing is the token (401) or the viewer (no answer).

import { copyText } from './clipboard';
import { onBlockedNavigation } from './blocked-navigation';
import { readEvents } from './event-stream';
import { httpSite, saved, type Signed } from './http-site';
import {
  Refusal,
  type Api,
  type Denied,
  type Details,
  type Format,
  type Listener,
  type LogLine,
  type Navigated,
  type NetworkApi,
  type Opening,
  type PeerReach,
  type PeopleApi,
  type Place,
  type Qr,
  type RendezvousApi,
  type Saved,
  type Session,
  type Settings,
  type SettingsApi,
  type Snapshot,
  type Stop,
} from './index';
import { Reader } from './reader';
import { prefer, preference } from './storage';
import { tab } from './tab';
import { tables } from './tables';
import { Token } from './token';

/** Pauses between attempts to reach a viewer that went away; the last one repeats. */
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

/** A local answer that takes longer than this is not coming. Requests to peers have the viewer's own deadline. */
const ANSWER_MS = 30_000;

let token: Token;

export function http(): Api {
  token = new Token();
  const events = new Events();
  token.onArrival(() => events.reconnect());
  return {
    session: () => request<Session>('/api/session'),
    subscribe: (listener) => events.subscribe(listener),
    reconnect: () => events.reconnect(),
    opening,
    origin,
    onNavigated: (callback) => events.onNavigated(callback),
    place: (text) => request<Place>('/api/place', { text }),
    addAddress: async (address) => (await request<{ peer: string }>('/api/address', { address })).peer,
    avatar,
    rendezvous,
    network,
    qr: (text) => request<Qr>('/api/qr', { text }),
    preference,
    prefer,
    settings,
    people,
    site: httpSite(request, signed),
    tables: tables((operation) => request('/api/tables', operation), download),
    logs: (since) => request<LogLine[]>(`/api/logs?since=${since}`),
    onDenied: (callback) => events.onDenied(callback),
    onLeaving: onBlockedNavigation,
    leave: async (url) => void window.open(url, '_blank', 'noopener'),
    mayNotify,
    notify,
    openExternal: async (url) => void window.open(url, '_blank', 'noopener'),
    copy: copyText,
    tab,
    shell: null,
  };
}

const rendezvous: RendezvousApi = {
  address: async (text) => (await request<{ url: string }>('/api/rendezvous/check', { text })).url,
  join: async (text) => (await request<{ url: string }>('/api/rendezvous/join', { text })).url,
  leave: (url) => request('/api/rendezvous/leave', { url }),
  host: (host) => request('/api/rendezvous/host', host),
  password: async () => (await request<{ password: string }>('/api/rendezvous/password')).password,
  register: async (url, email) => (await request<{ message: string }>('/api/rendezvous/register', { url, email })).message,
};

const network: NetworkApi = {
  test: () => request('/api/network/test', {}),
  report: async (redacted) => (await request<{ text: string }>('/api/network/report', { redacted })).text,
  reach: (peer) => request<PeerReach>('/api/network/reach', { peer }),
};

const settings: SettingsApi = {
  all: () => request<Settings>('/api/settings'),
  change: (values) => request<Settings>('/api/settings', values),
  replace: (before, text) => request<Settings>('/api/settings', { before, text }, 'PUT'),
  renewIdentity: () => request('/api/identity/renew', {}),
  setAvatar: async (png) => void (await request('/api/avatar', png ?? undefined, png ? 'PUT' : 'DELETE')),
};

const people: PeopleApi = {
  note: (peer, note) => request('/api/peer/note', { peer, note }),
  details: (peer) => request<Details>('/api/peer/details', { peer }),
  tryAgain: (peer) => request('/api/peer/try', { peer }),
};

/** How this tab signs what is not JSON. */
const signed: Signed = { fetch: answerOf, token: () => token.value() };

async function download(table: string, format: Format): Promise<Saved> {
  return saved(await signed.fetch(`/api/tables/export?${new URLSearchParams({ table, format })}`, {}), `${table}.${format}`);
}

/** One event stream for everything, open while there are listeners. */
class Events {
  #listeners = new Set<Listener>();
  #navigated = new Set<(event: Navigated) => void>();
  #denied = new Set<(denied: Denied) => void>();
  #stream: AbortController | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Attempts since the last snapshot. */
  #attempts = 0;
  /** Only the newest attempt may act on its result. */
  #newest = 0;
  #last: Snapshot | null = null;
  #reader = new Reader((value) => this.#read(value));

  subscribe(listener: Listener): Stop {
    this.#listeners.add(listener);
    if (this.#last) listener.snapshot(this.#last);
    if (this.#listeners.size === 1) void this.#connect();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#close();
    };
  }

  onDenied(callback: (denied: Denied) => void): Stop {
    this.#denied.add(callback);
    return () => this.#denied.delete(callback);
  }

  onNavigated(callback: (event: Navigated) => void): Stop {
    this.#navigated.add(callback);
    return () => this.#navigated.delete(callback);
  }

  reconnect(): void {
    this.#attempts = 0;
    void this.#connect();
  }

  async #connect(): Promise<void> {
    this.#close();
    const attempt = this.#newest;
    const stream = new AbortController();
    this.#stream = stream;
    try {
      const response = await answerOf('/api/events', { signal: stream.signal });
      if (!response.ok || !response.body) throw new Error(`The events are refused with ${response.status}`);
      await readEvents(response.body, (name, data) => attempt === this.#newest && this.#receive(name, data));
    } catch (thrown) {
      if (attempt !== this.#newest) return;
      if (thrown instanceof Refusal && thrown.code === 'locked') return this.#emit((to) => to.link('locked'));
    }
    if (attempt === this.#newest) this.#lost();
  }

  #receive(name: string, data: string): void {
    if (name === 'snapshot') this.#reader.read(data);
    else if (name === 'navigated') for (const callback of this.#navigated) callback(JSON.parse(data) as Navigated);
    else if (name === 'denied') for (const callback of this.#denied) callback(JSON.parse(data) as Denied);
  }

  #read(value: Snapshot): void {
    this.#last = value;
    this.#attempts = 0;
    this.#emit((to) => {
      to.snapshot(value);
      to.link('live');
    });
  }

  #lost(): void {
    this.#close();
    this.#emit((to) => to.link('lost'));
    const pause = RETRY_MS[Math.min(this.#attempts++, RETRY_MS.length - 1)];
    this.#retry = setTimeout(() => void this.#connect(), pause);
  }

  #close(): void {
    this.#newest++;
    clearTimeout(this.#retry);
    this.#stream?.abort();
    this.#stream = null;
    this.#reader.forget();
  }

  #emit(message: (to: Listener) => void): void {
    for (const listener of this.#listeners) message(listener);
  }
}

/** In this tab's storage: where a window that needs ports reloads itself. In the address, anyone's link could set it. */
const PLACE = 'goop2.place';

const framesPorts = (): boolean => new URLSearchParams(location.search).has('ports');

function opening(): Opening {
  const kept = sessionStorage.getItem(PLACE);
  if (kept === null || !framesPorts()) return { ports: false, place: null };
  sessionStorage.setItem(PLACE, 'null');
  return { ports: true, place: JSON.parse(kept) as Place | null };
}

/** A document's policy is fixed: the one that allows the ports comes with another response. */
async function origin(place: Place, stranger: boolean): Promise<string> {
  if (framesPorts()) return (await request<{ origin: string }>('/api/origin', { peer: place.peer, stranger })).origin;
  await request('/api/ports', {});
  sessionStorage.setItem(PLACE, JSON.stringify(place));
  location.replace('/?ports');
  return new Promise(() => {});
}

async function mayNotify(): Promise<boolean> {
  return 'Notification' in window && (await Notification.requestPermission()) === 'granted';
}

async function notify(title: string, text: string): Promise<void> {
  if ('Notification' in window && Notification.permission === 'granted') new Notification(title, { body: text });
}

async function request<T>(path: string, body?: object, method = 'POST'): Promise<T> {
  const response = await ask(path, body, method);
  const value: unknown = await response.json().catch(() => null);
  if (response.ok) return value as T;
  throw Refusal.from(value, `Something went wrong (error ${response.status}). Try again.`);
}

async function ask(path: string, body: object | undefined, method: string): Promise<Response> {
  const init: RequestInit = { signal: AbortSignal.timeout(ANSWER_MS) };
  if (body instanceof Blob) Object.assign(init, { method, body });
  else if (body) Object.assign(init, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
  else if (method === 'DELETE') init.method = method;
  return answerOf(path, init);
}

/** An answer to the user, of whatever status but 401. */
async function answerOf(path: string, init: RequestInit): Promise<Response> {
  const used = await token.value();
  const headers = new Headers(init.headers);
  if (used !== null) headers.set('Authorization', `Bearer ${used}`);
  const response = await fetch(path, { cache: 'no-store', ...init, headers }).catch(() => {
    throw new Refusal({ code: 'unreachable', message: 'Goop2 isn’t responding. It may have been closed.' });
  });
  if (response.status !== 401) return response;
  token.refuse(used);
  throw new Refusal({ code: 'locked', message: 'This browser isn’t signed in. Open the link that goop2 printed.' });
}

async function avatar(peer: string, hash: string): Promise<string | null> {
  if (hash === '') return null;
  try {
    const path = `/api/avatar/peer/${encodeURIComponent(peer)}?hash=${encodeURIComponent(hash)}`;
    // One that was asked for a moment ago comes out of the browser's cache.
    const response = await answerOf(path, { cache: 'default' });
    const type = response.headers.get('Content-Type') ?? '';
    return response.ok && type.startsWith('image/') ? URL.createObjectURL(await response.blob()) : null;
  } catch {
    return null;
  }
}
