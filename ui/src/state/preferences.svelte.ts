// What this window remembers for its user apart from the peer: its appearance and notifications.

import type { Api } from '../api';

export type Theme = 'system' | 'light' | 'dark';

export const THEMES: Record<Theme, string> = { system: 'Same as system', light: 'Light', dark: 'Dark' };

export class Preferences {
  theme = $state<Theme>('system');
  /** Notify when a favorite comes online. */
  notify = $state(false);
  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  async load(): Promise<void> {
    const [theme, notify] = await Promise.all([this.#api.preference('theme'), this.#api.preference('notify')]).catch(() => [null, null]);
    if (typeof theme === 'string' && theme in THEMES) this.theme = theme as Theme;
    this.notify = notify === true;
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

  #show(): void {
    if (this.theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
  }
}
