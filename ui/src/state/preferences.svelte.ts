// What this window remembers for its user apart from the peer: its appearance and notifications.

import type { Api } from '../api';

export type Theme = 'system' | 'light' | 'dark';

export const THEMES: Record<Theme, string> = { system: 'Same as system', light: 'Light', dark: 'Dark' };

export class Preferences {
  theme = $state<Theme>('system');
  /** Notify when a favorite comes online. */
  notify = $state(false);
  /** Notify when a visitor writes into a table. */
  notifyEntries = $state(false);
  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  async load(): Promise<void> {
    const names = ['theme', 'notify', 'notify-entries'];
    const [theme, notify, entries] = await Promise.all(names.map((name) => this.#api.preference(name))).catch(() => []);
    if (typeof theme === 'string' && theme in THEMES) this.theme = theme as Theme;
    this.notify = notify === true;
    this.notifyEntries = entries === true;
    this.#show();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.#show();
    void this.#api.prefer('theme', theme).catch(() => {});
  }

  /** Resolves to whether the system allows it. */
  async setNotify(on: boolean): Promise<boolean> {
    this.notify = on && (await this.#api.mayNotify());
    void this.#api.prefer('notify', this.notify).catch(() => {});
    return this.notify === on;
  }

  /** As `setNotify`. */
  async setNotifyEntries(on: boolean): Promise<boolean> {
    this.notifyEntries = on && (await this.#api.mayNotify());
    void this.#api.prefer('notify-entries', this.notifyEntries).catch(() => {});
    return this.notifyEntries === on;
  }

  #show(): void {
    if (this.theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
  }
}
