// The last snapshot of the running peer, and whether it is still connected.

import { Refusal, type Api, type Link, type Notice, type PeerCard, type Session, type Snapshot, type Stop } from '../api';
import { reconcile } from './reconcile';

/** Snapshots closer together than this are shown as one: nobody reads faster, and a busy network sends hundreds. */
const SNAPSHOT_MS = 100;

/** Between receiving a snapshot and showing it: with thousands of peers each step takes much of a frame, so they get one each. */
const APART_MS = 40;

/** How often "14 min ago" is updated. */
const TICK_MS = 20_000;

/** A restart takes less; a peer that is not back by then is not coming back. */
const RESTART_MS = 15_000;

export class Backend {
  link = $state<Link>('connecting');
  /** The peer is about to restart and will be away for a moment. */
  restarting = $state(false);
  session = $state.raw<Session | null>(null);
  snapshot = $state.raw<Snapshot | null>(null);
  /** Unix time in milliseconds, ticking. */
  now = $state(Date.now());
  #dismissed = $state.raw<string[]>([]);

  readonly peers = $derived(this.snapshot?.peers ?? []);
  /** Those online, nearby ones first. */
  readonly online = $derived(this.peers.filter(({ group }) => group !== 'earlier'));
  readonly notices = $derived((this.snapshot?.notices ?? []).filter((notice) => !this.#dismissed.includes(keyOf(notice))));

  #byId = $derived(new Map(this.peers.map((peer) => [peer.id, peer])));
  #restart: ReturnType<typeof setTimeout> | undefined;
  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  start(): Stop {
    let newest: Snapshot | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let shown = -SNAPSHOT_MS;
    const show = (): void => {
      timer = undefined;
      if (newest) this.snapshot = reconcile(this.snapshot, newest);
      newest = null;
      shown = performance.now();
    };
    const stop = this.#api.subscribe({
      snapshot: (value) => {
        newest = value;
        timer ??= setTimeout(show, Math.max(APART_MS, shown + SNAPSHOT_MS - performance.now()));
      },
      link: (value) => void this.#linked(value),
    });
    const tick = setInterval(() => (this.now = Date.now()), TICK_MS);
    return () => {
      stop();
      clearTimeout(timer);
      clearInterval(tick);
    };
  }

  peer(id: string): PeerCard | undefined {
    return this.#byId.get(id);
  }

  dismiss(notice: Notice): void {
    this.#dismissed = [...this.#dismissed, keyOf(notice)];
  }

  /** A changed setting makes the peer restart. */
  expectRestart(): void {
    this.restarting = true;
    clearTimeout(this.#restart);
    this.#restart = setTimeout(() => (this.restarting = false), RESTART_MS);
  }

  retry(): void {
    this.link = 'connecting';
    this.#api.reconnect();
  }

  /** A peer that comes back may have restarted on another port: each time, the session is asked for again. */
  async #linked(link: Link): Promise<void> {
    const returned = link === 'live' && this.link !== 'live';
    if (link !== this.link) this.link = link;
    if (!returned) return;
    this.restarting = false;
    try {
      this.session = await this.#api.session();
    } catch (thrown) {
      this.link = Refusal.from(thrown, '').code === 'locked' ? 'locked' : 'lost';
    }
  }
}

/** A dismissed notice comes back when its message changes. */
const keyOf = (notice: Notice): string => `${notice.code}\n${notice.message}`;
