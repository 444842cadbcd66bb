// The keys of the window. They are those of any browser, and work for the visited site too.

import type { AppState } from './app.svelte';

export function onKey(app: AppState, event: KeyboardEvent): void {
  ofTheApp(app, event);
  // An open dialog has the keys.
  if (event.defaultPrevented || document.querySelector('dialog[open]')) return;
  if (app.resting && app.navigation.offlinePage && event.key === 'Escape' && !typing(event.target)) app.navigation.closeOffline();
  if (app.resting || !app.ready) return;
  const act = ofPages(app, event) ?? (app.navigation.page ? undefined : ofSites(app, event));
  if (!act) return;
  act();
  event.preventDefault();
}

type Act = () => void;

const command = (event: KeyboardEvent): boolean => event.ctrlKey || event.metaKey;

const typing = (target: EventTarget | null): boolean => target instanceof HTMLElement && target.matches('input, textarea, [contenteditable]');

function ofTheApp({ api }: AppState, event: KeyboardEvent): void {
  if (!api.shell || !command(event) || event.altKey || event.shiftKey) return;
  const key = event.key.toLowerCase();
  if (key === 'q') void api.shell.quit();
  else if (key === 'w') void api.shell.close();
}

function ofPages({ api, navigation }: AppState, event: KeyboardEvent): Act | undefined {
  const key = event.key.toLowerCase();
  if (command(event) && key === 'l') return () => void navigation.editAddress();
  if (navigation.page && event.key === 'Escape' && !typing(event.target)) return () => void navigation.closePage();
  // In a browser these are its own.
  if (api.shell && navigation.page && event.altKey && event.key === 'ArrowLeft') return () => void navigation.closePage();
  if (event.key === '/' && !command(event) && !event.altKey && !typing(event.target)) return () => navigation.search();
  if (command(event) && key === 'h') return () => navigation.show('history');
  if (command(event) && event.key === ',') return () => navigation.show('settings');
  return undefined;
}

function ofSites(app: AppState, event: KeyboardEvent): Act | undefined {
  const { api, browser, navigation } = app;
  const key = event.key.toLowerCase();
  if (event.key === 'F5' || (command(event) && !event.shiftKey && key === 'r')) return browser.entry ? () => browser.reload() : undefined;
  if (event.key === 'Escape' && browser.loading) return () => browser.stop();
  if (!command(event) && event.altKey && !api.shell && event.key !== 'Home') return undefined;
  if (!command(event) && event.altKey) return { ArrowLeft: () => browser.go(-1), ArrowRight: () => browser.go(1), Home: () => navigation.welcome() }[event.key];
  if (!command(event) || event.altKey || !browser.entry) return undefined;
  if (['+', '='].includes(event.key)) return () => app.resize(1);
  if (event.key === '-') return () => app.resize(-1);
  if (event.key === '0') return () => app.resize(0);
  const { shell } = api;
  if (shell && key === 'f') return () => app.find(shell);
  const peer = app.backend.peer(browser.entry.peer);
  if (peer && key === 'd') return () => app.toggleFavorite(peer);
  return undefined;
}
