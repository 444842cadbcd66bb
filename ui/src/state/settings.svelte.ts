// The current settings, and changes to them: checked by the peer, applied immediately, and undone on request.

import { Refusal, type Api, type Settings } from '../api';
import { equal } from '../lib/equal';
import { localAddress } from '../lib/local';
import { isEmail, oneLine } from '../lib/names';
import { words } from './failure';
import type { Toasts } from './toasts.svelte';

/** The name of a setting in `goop.json`, and its field here. */
const NAMES = {
  'profile.label': 'label',
  'profile.email': 'email',
  'p2p.mdns': 'mdns',
  'p2p.mdns_tag': 'mdns_tag',
  'p2p.listen_port': 'listen_port',
  'p2p.port_mapping': 'port_mapping',
  'viewer.http_addr': 'http_addr',
  'viewer.site_sources': 'site_sources',
} as const satisfies Record<string, keyof Settings>;

export type Setting = keyof typeof NAMES;

/** What to enter in a field whose value breaks its one rule. The peer's own message is for `goop.json`: it names the key. */
const RULES: Partial<Record<Setting, string>> = {
  'p2p.mdns_tag': 'Use 1–63 letters, digits, "-" or "_".',
  'p2p.listen_port': 'Enter a number from 0 to 65535.',
  'viewer.site_sources': 'Enter up to 16 addresses such as http://192.168.1.20:8123.',
};

/** The words of the first start. */
const NO_NAME = 'Enter a name. It’s what others see.';
const NOT_LOCAL = 'Enter an address of this computer, such as 127.0.0.1:8080.';
const NO_EMAIL = 'Enter an email address, such as you@example.org, or leave it empty.';

export class SettingsForm {
  current = $state.raw<Settings | null>(null);
  /** Why a setting could not be changed, by name; '' is everything else. */
  problems = $state<Partial<Record<Setting | 'text' | 'avatar' | '', string>>>({});
  #api: Api;
  #toasts: Toasts;

  constructor(api: Api, toasts: Toasts) {
    this.#api = api;
    this.#toasts = toasts;
  }

  async load(): Promise<void> {
    try {
      this.current = await this.#api.settings.all();
      this.problems[''] = '';
    } catch (thrown) {
      this.problems[''] = words(thrown);
    }
  }

  /** `what` names it in the toast: "Name". Resolves to whether it was accepted. */
  async set(setting: Setting, value: string | number | boolean | string[], what: string): Promise<boolean> {
    const before = this.current?.[NAMES[setting]];
    this.problems[setting] = mistake(setting, value);
    if (this.problems[setting]) return false;
    if (before === undefined || equal(before, value)) return true;
    if (!(await this.#change(setting, { [setting]: value }))) return false;
    const again = this.current?.restarting ? ' Goop2 is restarting to apply it.' : '';
    this.#toasts.show(`${what} changed.${again}`, () => void this.#change(setting, { [setting]: before }));
    return true;
  }

  /** Replaces all of `goop.json`, based on `before`. */
  async replace(before: string, text: string): Promise<boolean> {
    this.problems.text = '';
    /** No undo to a file that no peer can start with. */
    const repaired = this.current?.problem !== null;
    try {
      this.current = await this.#api.settings.replace(before, text);
    } catch (thrown) {
      this.problems.text = words(thrown);
      return false;
    }
    const after = this.current.text;
    this.#toasts.show('goop.json changed.', repaired ? undefined : () => void this.replace(after, before));
    return true;
  }

  async setAvatar(png: Blob | null, before: Blob | null): Promise<boolean> {
    this.problems.avatar = '';
    try {
      await this.#api.settings.setAvatar(png);
    } catch (thrown) {
      this.problems.avatar = words(thrown);
      return false;
    }
    this.#toasts.show(png ? 'Picture changed.' : 'Picture removed.', () => void this.setAvatar(before, png));
    return true;
  }

  async #change(setting: Setting, values: Record<string, unknown>): Promise<boolean> {
    try {
      this.current = await this.#api.settings.change(values);
      return true;
    } catch (thrown) {
      const rule = thrown instanceof Refusal && thrown.code === 'setting' ? RULES[setting] : undefined;
      this.problems[setting] = rule ?? words(thrown);
      return false;
    }
  }
}

/** What is wrong with a value before the peer is asked; empty where nothing is. */
function mistake(setting: Setting, value: unknown): string {
  if (setting === 'profile.label' && oneLine(String(value)) === '') return NO_NAME;
  if (setting === 'profile.email' && value !== '' && !isEmail(String(value))) return NO_EMAIL;
  if (setting === 'viewer.http_addr' && localAddress(String(value)) === null) return NOT_LOCAL;
  return '';
}

/** Several in one line, each perhaps with the trailing slash of an address bar. */
export const origins = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((word) => word.replace(/\/$/, ''));
