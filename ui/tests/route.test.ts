import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Api, Navigated, Tab } from '../src/api';
import type { Backend } from '../src/state/backend.svelte';
import { Browser } from '../src/state/browser.svelte';
import { Navigation } from '../src/state/navigation.svelte';
import { hashOf, historyOf, positionOf, routeOf } from '../src/state/route';
import { TabHistory } from '../src/state/tab';

const ANNA = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const BO = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N';

it.each([
  [{ page: null, place: null }, ''],
  [{ page: 'settings', place: null }, '/settings'],
  [{ page: null, place: { peer: ANNA, path: '/a b?x=1#y' } }, `/p/${ANNA}/a%20b?x=1#y`],
] as const)('%j is in the address as %j, and back', (route, hash) => {
  expect(hashOf(route)).toBe(hash);
  expect(hashOf(routeOf(hash))).toBe(hash);
});

it.each(['/nothing', '/toString', '/p/nobody/', `/p/${ANNA}x/`, '//', 'settings', `p/${ANNA}/`])('%j is the welcome page', (hash) => {
  expect(routeOf(hash)).toEqual({ page: null, place: null });
});

it('believes only sound notes and histories', () => {
  for (const note of [null, 1, 'x', {}, { position: -1 }, { position: 1.5 }, { position: '1' }]) expect(positionOf(note)).toBeNull();
  for (const kept of [null, {}, { entries: [null], index: 1 }, { entries: [{ peer: 'nobody', path: '/' }], index: 0 }, { entries: [{ peer: ANNA }], index: 0 }]) expect(historyOf(kept)).toBeNull();
  expect(historyOf({ entries: [null, { peer: ANNA, path: '/' }], index: 1 })?.index).toBe(1);
});

/** A tab as a browser has it, and a window in it. */
class World {
  entries: { hash: string; note: unknown }[] = [{ hash: '', note: null }];
  at = 0;
  kept: unknown = null;
  moved = (): void => {};
  report: (event: Navigated) => void = () => {};
  readonly tab: Tab = {
    hash: () => this.entries[this.at]?.hash ?? '',
    note: () => this.entries[this.at]?.note,
    push: (hash, note) => void (this.entries = [...this.entries.slice(0, ++this.at), { hash, note }]),
    replace: (hash, note) => void (this.entries[this.at] = { hash, note }),
    onMoved: (callback) => {
      this.moved = callback;
      return () => {};
    },
    kept: () => this.kept,
    keep: (value) => void (this.kept = structuredClone(value)),
  };
  browser!: Browser;
  navigation!: Navigation;
  history!: TabHistory;

  constructor() {
    this.load();
  }

  /** Loads the page, or loads it again. */
  load(me = BO, early?: () => void): void {
    const api: Partial<Api> = {
      onNavigated: (callback) => {
        this.report = callback;
        return () => {};
      },
      opening: () => ({ ports: false, place: null }),
    };
    this.browser = new Browser(api as Api, { link: 'live', session: { version: '0', peer: BO, viewer_port: 8080 } } as Backend);
    this.navigation = new Navigation(this.browser);
    this.history = new TabHistory(this.tab, this.browser, this.navigation);
    this.history.start();
    this.browser.start();
    early?.();
    this.history.begin(me);
    this.history.write();
  }

  does(act: () => void): void {
    act();
    this.history.write();
  }

  go(by: number): void {
    this.at += by;
    this.moved();
    this.history.write();
  }

  /** The frame follows a link in it, for which a browser makes an entry with the page's own address. */
  follow(path: string): void {
    this.browser.loaded();
    const { hash, note } = this.entries[this.at] ?? { hash: '', note: null };
    this.entries = [...this.entries.slice(0, ++this.at), { hash, note }];
    for (const status of [null, 200]) this.report({ place: { peer: ANNA, path }, status, title: null });
    this.browser.loaded();
    this.history.write();
  }

  get hashes(): string[] {
    return this.entries.map(({ hash }) => hash);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', { activeElement: null });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the tab', () => {
  it('follows what is opened, and leads back to it', () => {
    const world = new World();
    world.does(() => world.navigation.visitHome(ANNA));
    for (const status of [null, 200]) world.does(() => world.report({ place: { peer: ANNA, path: '/' }, status, title: null }));
    world.does(() => world.navigation.show('settings'));
    expect(world.hashes).toEqual(['', `/p/${ANNA}/`, '/settings']);
    world.go(-1);
    expect([world.navigation.page, world.browser.entry?.peer]).toEqual([null, ANNA]);
    world.go(-1);
    expect(world.browser.entry).toBeNull();
    world.go(2);
    expect(world.navigation.page).toBe('settings');
    expect(world.hashes.length).toBe(3);
  });

  it('gives the page that a frame opened its address, without an entry of ours', () => {
    const world = new World();
    world.does(() => world.navigation.visitHome(ANNA));
    world.follow('/next');
    expect(world.hashes).toEqual(['', `/p/${ANNA}/`, `/p/${ANNA}/next`]);
    world.go(-1);
    expect([world.browser.entry?.path, world.browser.position]).toEqual(['/', 1]);
    world.go(1);
    expect([world.browser.entry?.path, world.browser.position]).toEqual(['/next', 2]);
  });

  it('comes back to the page and its history after a reload', () => {
    const world = new World();
    world.does(() => world.navigation.visitHome(BO));
    world.does(() => world.navigation.visitHome(ANNA));
    world.load();
    expect([world.browser.entry?.peer, world.browser.target?.url.endsWith(`/p/${ANNA}/`), world.browser.canBack]).toEqual([ANNA, true, true]);
    world.does(() => world.navigation.show('network'));
    world.load();
    expect([world.navigation.page, world.browser.entry?.peer]).toEqual(['network', ANNA]);
    world.go(-2);
    expect([world.navigation.page, world.browser.entry?.peer]).toEqual([null, BO]);
  });

  it('opens a bookmark, and a place that its history no longer has', () => {
    const world = new World();
    world.entries = [{ hash: `/p/${ANNA}/kept.html`, note: null }];
    world.load();
    expect(world.browser.entry).toMatchObject({ peer: ANNA, path: '/kept.html' });
    world.does(() => world.navigation.visitHome(BO));
    world.does(() => world.browser.go(-1));
    world.does(() => world.navigation.visit({ peer: ANNA, path: '/other' }));
    expect(world.hashes).toEqual([`/p/${ANNA}/kept.html`, `/p/${BO}/`, `/p/${ANNA}/kept.html`, `/p/${ANNA}/other`]);
    world.go(-2);
    expect(world.browser.entry?.peer).toBe(BO);
  });

  it('forgets what it showed with another peer of the user', () => {
    const world = new World();
    world.does(() => world.navigation.visitHome(ANNA));
    world.load(ANNA);
    expect([world.browser.entry, world.browser.canBack, world.hashes.at(-1)]).toEqual([null, false, '']);
  });

  it('shows what was opened before there was anything to show it in', () => {
    const world = new World();
    world.does(() => world.navigation.visitHome(BO));
    world.load(BO, () => world.navigation.visitHome(ANNA));
    expect([world.browser.entry?.peer, world.browser.target?.url.endsWith(`/p/${ANNA}/`), world.hashes.at(-1)]).toEqual([ANNA, true, `/p/${ANNA}/`]);
    world.load(BO, () => world.navigation.show('rendezvous'));
    expect([world.navigation.page, world.hashes.at(-1)]).toEqual(['rendezvous', '/rendezvous']);
  });

  it('loads nothing again that is shown already', () => {
    const world = new World();
    world.does(() => world.navigation.visitHome(ANNA));
    const { target } = world.browser;
    world.does(() => world.navigation.show('log'));
    world.go(-1);
    expect(world.browser.target).toBe(target);
  });
});
