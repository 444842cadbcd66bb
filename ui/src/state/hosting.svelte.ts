// The form of the rendezvous hosted on this computer: shows what the user asked for until the peer confirms it.

import type { Api, Host, Hosting } from '../api';
import { words } from './failure';

/** How long the switch shows what the user asked for; then it shows the actual state. */
const WANTED_MS = 4000;

/** A relay's usual port, as in docs/configuration.md. */
const RELAY_PORT = 4002;

/** The preference that keeps the relay port: `goop.json` cannot while hosting is off. */
const RELAY = 'hosting.relay';

/** Which addresses it listens on. */
export type Reach = 'all' | 'here' | 'one';

const LOOPBACK = '127.0.0.1';

/** The form's input; numbers as text, as fields hold them. */
export interface Form {
  port: string;
  reach: Reach;
  bind: string;
  relay: boolean;
  relayPort: string;
}

export class HostForm {
  form = $state<Form>({ port: '', reach: 'all', bind: '', relay: false, relayPort: String(RELAY_PORT) });
  busy = $state(false);
  /** Why the last attempt failed, in words. */
  problem = $state('');
  #wanted = $state<boolean | null>(null);
  /** The state the peer last reported. */
  #on = false;
  /** Whether that report is older than the last request: it matches the request by chance and does not confirm it. */
  #stale = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The next request: of those made while the peer is busy, only the last counts. */
  #next: Host | null = null;
  #kept: number | null = null;
  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  async load(hosting: Hosting): Promise<void> {
    this.reset(hosting);
    const kept = await this.#api.preference(RELAY).catch(() => null);
    if (typeof kept !== 'number' || hosting.state !== 'off') return;
    this.#kept = kept;
    this.form.relay = kept > 0;
    this.form.relayPort = String(kept || RELAY_PORT);
  }

  /** Fills the form with the current state. */
  reset(hosting: Hosting): void {
    this.form = fromHosting(hosting, this.#kept);
    this.problem = '';
  }

  /** Whether the switch is on. */
  on(hosting: Hosting): boolean {
    return this.#wanted ?? hosting.state !== 'off';
  }

  /** The peer reported its state. */
  reported(hosting: Hosting): void {
    this.#on = hosting.state !== 'off';
    if (this.#on !== this.#wanted) this.#stale = false;
    else if (!this.#stale) this.#settle();
  }

  changed(hosting: Hosting): boolean {
    const host = toHost(this.form, true);
    return host.port !== hosting.port || host.bind !== hosting.bind || host.relay_port !== hosting.relay_port;
  }

  async apply(on: boolean): Promise<void> {
    if (on && mistakes(this.form).any) return;
    this.problem = '';
    this.#stale = this.#on === on;
    this.#wanted = on;
    this.#next = toHost(this.form, on);
    if (this.busy) return;
    this.busy = true;
    try {
      for (let host = this.#take(); host; host = this.#take()) await this.#ask(host);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#settle(), WANTED_MS);
    } catch (thrown) {
      this.#next = null;
      this.#settle();
      this.problem = words(thrown);
    } finally {
      this.busy = false;
    }
  }

  #take(): Host | null {
    const next = this.#next;
    this.#next = null;
    return next;
  }

  async #ask(host: Host): Promise<void> {
    await this.#api.rendezvous.host(host);
    if (!host.on) return;
    this.#kept = host.relay_port;
    void this.#api.prefer(RELAY, host.relay_port).catch(() => {});
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#wanted = null;
  }
}

/** What is wrong with each field, in words; empty where it is valid. */
export function mistakes(form: Form): { port: string; bind: string; relayPort: string; any: boolean } {
  const port = isPort(form.port) ? '' : 'Enter a number from 1 to 65535.';
  const bind = form.reach !== 'one' || isIp(form.bind) ? '' : 'Enter an IP address of this computer, such as 192.168.1.20.';
  const own = form.relayPort.trim() === form.port.trim() ? 'Must differ from the rendezvous port.' : '';
  const relayPort = !form.relay ? '' : isPort(form.relayPort) ? own : 'Enter a number from 1 to 65535.';
  return { port, bind, relayPort, any: port !== '' || bind !== '' || relayPort !== '' };
}

export function fromHosting(hosting: Hosting, kept: number | null = null): Form {
  const relay = hosting.state === 'off' && kept !== null ? kept : hosting.relay_port;
  return {
    port: String(hosting.port),
    reach: hosting.bind === '' ? 'all' : hosting.bind === LOOPBACK ? 'here' : 'one',
    bind: hosting.bind === LOOPBACK ? '' : hosting.bind,
    relay: relay > 0,
    relayPort: String(relay || RELAY_PORT),
  };
}

export function toHost(form: Form, on: boolean): Host {
  return {
    on,
    port: Number(form.port),
    bind: { all: '', here: LOOPBACK, one: form.bind.trim() }[form.reach],
    relay_port: form.relay ? Number(form.relayPort) : 0,
  };
}

const isPort = (text: string): boolean => /^\s*[0-9]{1,5}\s*$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;

/** A rough check: only the peer knows whether it is an address of this computer. */
const isIp = (text: string): boolean => /^\s*(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:.]*)\s*$/i.test(text);
