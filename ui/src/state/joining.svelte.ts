// The field for a connect URL, checked while it is typed, and what this window remembers about rendezvous.

import type { Api } from '../api';
import { meaning } from '../lib/meaning';
import { words } from './failure';

/** A pause in typing: the text may be complete. */
const PAUSE_MS = 350;
/** How many are remembered. */
const MAX_RECENT = 8;

/** The preferences they are kept under. */
const RECENT = 'rendezvous.recent';
const ASKED = 'rendezvous.asked';

/** A requested registration and the server's answer. */
export interface Asked {
  readonly email: string;
  readonly message: string;
}

export class Joining {
  text = $state('');
  /** The address that the text means, once known. */
  address = $state.raw<string | null>(null);
  /** Why the text is not an address, in words. */
  problem = $state('');
  busy = $state(false);
  /** Addresses joined before, the latest first. */
  recent = $state.raw<readonly string[]>([]);
  /** By address of the rendezvous. */
  asked = $state.raw<Readonly<Record<string, Asked>>>({});

  /** The text is an address of a site, not of a rendezvous. */
  readonly site = $derived(['link', 'network'].includes(meaning(this.text)));

  #api: Api;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Only the answer about the newest text counts. */
  #newest = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  async load(): Promise<void> {
    const [recent, asked] = await Promise.all([this.#api.preference(RECENT), this.#api.preference(ASKED)].map((kept) => kept.catch(() => null)));
    if (Array.isArray(recent)) this.recent = [...new Set(recent.filter((url) => typeof url === 'string'))].slice(0, MAX_RECENT);
    if (typeof asked === 'object' && asked !== null) this.asked = asked as Record<string, Asked>;
  }

  /** The text changed. */
  typed(): void {
    clearTimeout(this.#timer);
    this.#newest++;
    this.problem = '';
    this.address = null;
    if (this.text.trim() !== '' && !this.site) this.#timer = setTimeout(() => void this.#check(), PAUSE_MS);
  }

  /** Joins the typed address or a remembered one; resolves to whether that began. */
  async join(text = this.text): Promise<boolean> {
    if (this.busy) return false;
    clearTimeout(this.#timer);
    this.#newest++;
    this.busy = true;
    this.problem = '';
    try {
      await this.#api.rendezvous.join(text);
      this.text = '';
      this.address = null;
      return true;
    } catch (thrown) {
      this.problem = words(thrown);
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** Opens an address of a site that was typed here; resolves to whether that worked. */
  async open(open: (text: string) => Promise<void>): Promise<boolean> {
    clearTimeout(this.#timer);
    this.#newest++;
    try {
      await open(this.text);
      this.text = '';
      return true;
    } catch (thrown) {
      this.problem = words(thrown);
      return false;
    }
  }

  /** Those that are connected: only what once answered is remembered. */
  answered(urls: readonly string[]): void {
    const fresh = urls.filter((url) => !this.recent.includes(url));
    if (fresh.length > 0) this.#remember(fresh);
  }

  /** Rejects with a refusal to show. */
  leave(url: string): Promise<void> {
    if (this.recent.includes(url)) this.#remember([url]);
    return this.#api.rendezvous.leave(url);
  }

  forget(url: string): void {
    this.recent = this.recent.filter((known) => known !== url);
    this.#keep(RECENT, this.recent);
  }

  /** Rejects with a refusal to show. */
  async register(url: string, email: string): Promise<void> {
    const message = await this.#api.rendezvous.register(url, email);
    this.#ask({ ...this.asked, [url]: { email: email.trim(), message } });
  }

  /** Forgets a registration that is complete or to be requested again. */
  settled(url: string): void {
    if (!(url in this.asked)) return;
    const { [url]: _settled, ...rest } = this.asked;
    this.#ask(rest);
  }

  async #check(): Promise<void> {
    const newest = ++this.#newest;
    try {
      const address = await this.#api.rendezvous.address(this.text);
      if (newest === this.#newest) this.address = address;
    } catch (thrown) {
      if (newest === this.#newest) this.problem = words(thrown);
    }
  }

  #remember(urls: readonly string[]): void {
    this.recent = [...urls, ...this.recent.filter((known) => !urls.includes(known))].slice(0, MAX_RECENT);
    this.#keep(RECENT, this.recent);
  }

  #ask(asked: Record<string, Asked>): void {
    this.asked = asked;
    this.#keep(ASKED, asked);
  }

  #keep(name: string, value: unknown): void {
    void this.#api.prefer(name, value).catch(() => {});
  }
}
