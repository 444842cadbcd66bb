import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Refusal, type Api, type Navigated } from '../src/api';
import type { Backend } from '../src/state/backend.svelte';
import { Browser, reason } from '../src/state/browser.svelte';

const ANNA = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const BO = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N';

let tell: (event: Navigated) => void;
let browser: Browser;

const heard = (path: string, status: number | null = 200, peer = ANNA): void => tell({ place: { peer, path }, status });

beforeEach(() => {
  vi.useFakeTimers();
  const api: Partial<Api> = {
    onNavigated: (callback) => {
      tell = callback;
      return () => {};
    },
    place: async () => ({ peer: ANNA, path: '/pasted page' }),
    addAddress: async () => {
      throw new Refusal({ code: 'invalid', message: 'No.' });
    },
  };
  browser = new Browser(api as Api, { session: { version: '0', peer: BO, viewer_port: 8080 } } as Backend);
  browser.start();
});

afterEach(() => {
  vi.useRealTimers();
});

it('loads what is visited, in one frame per peer', () => {
  browser.visit({ peer: ANNA, path: '/' });
  const first = browser.target;
  expect(first?.url).toContain('.localhost:8080/p/');
  expect(browser.loading).toBe(true);
  browser.visit({ peer: ANNA, path: '/b' });
  expect(browser.target?.generation).toBe(first?.generation);
  browser.visit({ peer: BO, path: '/' });
  expect(browser.target?.generation).not.toBe(first?.generation);
  browser.loaded();
  expect(browser.loading).toBe(false);
});

it('waits for no load where the frame only scrolls, and not forever anywhere', () => {
  browser.visit({ peer: ANNA, path: '/a' });
  browser.loaded();
  browser.visit({ peer: ANNA, path: '/a#part' });
  expect([browser.loading, browser.target?.url.endsWith('/a#part')]).toEqual([false, true]);
  browser.go(-1);
  expect(browser.loading).toBe(true);
  vi.advanceTimersByTime(31_000);
  expect(browser.loading).toBe(false);
});

it('reloads in a new frame and adds no entry', () => {
  browser.visit({ peer: ANNA, path: '/a#part' });
  const before = browser.target?.generation;
  browser.reload();
  expect(browser.target?.generation).not.toBe(before);
  browser.go(-1);
  expect(browser.entry).toBeNull();
});

it('does not take the echo of the page it just left for a step back', () => {
  browser.visit({ peer: BO, path: '/' });
  browser.visit({ peer: ANNA, path: '/' });
  heard('/', 200, BO);
  expect(browser.entry?.peer).toBe(ANNA);
  heard('/');
  browser.loaded();
  heard('/next');
  browser.loaded();
  expect(browser.entry?.path).toBe('/next');
});

it('follows the frame when it loads, and knows a page is loaded though word of it came late', () => {
  browser.visit({ peer: ANNA, path: '/' });
  heard('/');
  browser.loaded();
  heard('/fast', null);
  expect([browser.entry?.path, browser.loading]).toEqual(['/', true]);
  heard('/fast', 200);
  browser.loaded();
  expect([browser.entry?.path, browser.loading]).toEqual(['/fast', false]);
  browser.loaded();
  heard('/late', null);
  heard('/late', 200);
  expect([browser.entry?.path, browser.loading]).toEqual(['/late', false]);
});

it('believes what it hears of another window only if its own frame loads', () => {
  browser.visit({ peer: ANNA, path: '/' });
  heard('/', null);
  heard('/');
  browser.loaded();
  heard('/', 200, BO);
  expect([browser.entry?.peer, browser.loading]).toEqual([ANNA, false]);
  vi.advanceTimersByTime(31_000);
  heard('/here', null);
  heard('/here');
  browser.loaded();
  expect(browser.entry).toEqual({ peer: ANNA, path: '/here' });
});

it('is where its frame is, not the frames within', () => {
  browser.visit({ peer: ANNA, path: '/outer' });
  heard('/outer', null);
  heard('/outer');
  heard('/inner', null);
  heard('/inner');
  browser.loaded();
  expect(browser.entry?.path).toBe('/outer');
  heard('/next', null);
  heard('/next');
  heard('/inner', null);
  heard('/inner');
  browser.loaded();
  expect(browser.entry?.path).toBe('/next');
});

it('says so when no request ever arrives, and only then', () => {
  browser.visit({ peer: ANNA, path: '/' });
  browser.loaded();
  vi.advanceTimersByTime(7000);
  expect(browser.unreached).toBe(true);
  browser.reload();
  heard('/');
  vi.advanceTimersByTime(7000);
  expect(browser.unreached).toBe(false);
});

it('shows nothing of a page that was stopped, until it is loaded again', () => {
  browser.visit({ peer: ANNA, path: '/' });
  browser.stop();
  expect([browser.target, browser.stopped, browser.loading]).toEqual([null, true, false]);
  heard('/');
  expect(browser.loading).toBe(false);
  browser.reload();
  expect([browser.target === null, browser.stopped]).toEqual([false, false]);
});

it('opens pasted text, and passes on why it could not', async () => {
  await browser.open(' goop://… ');
  expect(browser.entry).toEqual({ peer: ANNA, path: '/pasted%20page' });
  const refused = await browser.open('/ip4/10.0.0.1/tcp/1').catch(reason);
  expect(refused).toBe('No.');
});
