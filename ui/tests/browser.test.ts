import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Refusal, type Api, type Navigated, type Opening, type Place } from '../src/api';
import type { Backend } from '../src/state/backend.svelte';
import { Browser } from '../src/state/browser.svelte';
import { words } from '../src/state/failure';
import { titleOf } from '../src/state/titles';

const ANNA = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const BO = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N';

let report: (event: Navigated) => void;
let atPort: (place: Place) => Promise<string>;
let opening: Opening;
let browser: Browser;

const reported = (path: string, status: number | null = 200, peer = ANNA): void => report({ place: { peer, path }, status, title: null });
const titled = (path: string, title: string, peer = ANNA): void => report({ place: { peer, path }, status: 200, title });

beforeEach(() => {
  vi.useFakeTimers();
  atPort = async ({ peer }) => `http://localhost:${peer === ANNA ? 9001 : 9002}`;
  opening = { ports: false, place: null };
  const api: Partial<Api> = {
    onNavigated: (callback) => {
      report = callback;
      return () => {};
    },
    opening: () => opening,
    origin: (place) => atPort(place),
    place: async () => ({ peer: ANNA, path: '/pasted page' }),
    addAddress: async () => {
      throw new Refusal({ code: 'invalid', message: 'No.' });
    },
  };
  browser = new Browser(api as Api, { link: 'live', session: { version: '0', peer: BO, viewer_port: 8080 } } as Backend);
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

it('does not wait for a load when the frame only scrolls, and never waits forever', () => {
  browser.visit({ peer: ANNA, path: '/a' });
  reported('/a');
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

it('does not mistake the echo of the page it just left for a step back', () => {
  browser.visit({ peer: BO, path: '/' });
  browser.visit({ peer: ANNA, path: '/' });
  reported('/', 200, BO);
  expect(browser.entry?.peer).toBe(ANNA);
  reported('/');
  browser.loaded();
  reported('/next');
  browser.loaded();
  expect(browser.entry?.path).toBe('/next');
});

it('follows the frame when it loads, and knows a page is loaded even if that is reported late', () => {
  browser.visit({ peer: ANNA, path: '/' });
  reported('/');
  browser.loaded();
  reported('/fast', null);
  expect([browser.entry?.path, browser.loading]).toEqual(['/', true]);
  reported('/fast', 200);
  browser.loaded();
  expect([browser.entry?.path, browser.loading]).toEqual(['/fast', false]);
  browser.loaded();
  reported('/late', null);
  reported('/late', 200);
  expect([browser.entry?.path, browser.loading]).toEqual(['/late', false]);
});

it('believes a report of another window only if its own frame loads', () => {
  browser.visit({ peer: ANNA, path: '/' });
  reported('/', null);
  reported('/');
  browser.loaded();
  reported('/', 200, BO);
  expect([browser.entry?.peer, browser.loading]).toEqual([ANNA, false]);
  vi.advanceTimersByTime(31_000);
  reported('/here', null);
  reported('/here');
  browser.loaded();
  expect(browser.entry).toMatchObject({ peer: ANNA, path: '/here' });
});

it('follows its frame, not the frames within it', () => {
  browser.visit({ peer: ANNA, path: '/outer' });
  reported('/outer', null);
  reported('/outer');
  reported('/inner', null);
  reported('/inner');
  browser.loaded();
  expect(browser.entry?.path).toBe('/outer');
  reported('/next', null);
  reported('/next');
  reported('/inner', null);
  reported('/inner');
  browser.loaded();
  expect(browser.entry?.path).toBe('/next');
});

it('uses ports when no request by name arrives, and only then', async () => {
  browser.visit({ peer: ANNA, path: '/a.zip' });
  await vi.advanceTimersByTimeAsync(7000);
  browser.visit({ peer: ANNA, path: '/a' });
  browser.loaded();
  expect(browser.target?.url).toContain('.localhost:8080/p/');
  await vi.advanceTimersByTimeAsync(7000);
  expect([browser.target?.url, browser.entry?.path, browser.trouble]).toEqual([`http://localhost:9001/p/${ANNA}/a`, '/a', null]);
  expect(browser.outside).toBe(browser.target?.url);
  reported('/a');
  browser.loaded();
  browser.visit({ peer: BO, path: '/' });
  expect(browser.target).toBeNull();
  await vi.advanceTimersByTimeAsync(7000);
  expect([browser.target?.url, browser.trouble]).toEqual([`http://localhost:9002/p/${BO}/`, null]);
});

it('keeps using names where they work', async () => {
  browser.visit({ peer: ANNA, path: '/' });
  reported('/', null);
  await vi.advanceTimersByTimeAsync(7000);
  expect([browser.target?.url.includes('.localhost:8080/'), browser.trouble]).toEqual([true, null]);
});

it('reports it when ports do not help either', async () => {
  browser.visit({ peer: ANNA, path: '/' });
  await vi.advanceTimersByTimeAsync(7000);
  expect(browser.trouble).toBeNull();
  await vi.advanceTimersByTimeAsync(7000);
  expect(browser.trouble).toContain('didn’t load');
  browser.reload();
  expect(browser.trouble).toBeNull();
  atPort = async () => {
    throw new Refusal({ code: 'used-up', message: 'No more.' });
  };
  browser.visit({ peer: BO, path: '/' });
  await vi.advanceTimersByTimeAsync(0);
  expect([browser.target, browser.trouble, browser.loading]).toEqual([null, 'No more.', false]);
});

it('continues at its place in a window reloaded for ports', async () => {
  browser.start();
  expect(browser.entry).toBeNull();
  opening = { ports: true, place: { peer: ANNA, path: '/a' } };
  browser.start();
  await vi.advanceTimersByTimeAsync(0);
  expect([browser.target?.url, browser.canBack]).toEqual([`http://localhost:9001/p/${ANNA}/a`, true]);
});

it('shows nothing of a stopped page until it is loaded again', () => {
  browser.visit({ peer: ANNA, path: '/' });
  browser.stop();
  expect([browser.target, browser.stopped, browser.loading]).toEqual([null, true, false]);
  reported('/');
  expect(browser.loading).toBe(false);
  browser.reload();
  expect([browser.target === null, browser.stopped]).toEqual([false, false]);
});

it('opens pasted text, and passes on why it failed', async () => {
  await browser.open(' goop://… ');
  expect(browser.entry).toMatchObject({ peer: ANNA, path: '/pasted%20page' });
  const refused = await browser.open('/ip4/10.0.0.1/tcp/1').catch(words);
  expect(refused).toBe('No.');
});

it('keeps the titles of pages, and is not led anywhere by them', () => {
  browser.visit({ peer: ANNA, path: '/a' });
  reported('/a');
  titled('/a', 'The herons');
  browser.visit({ peer: ANNA, path: '/b#part' });
  titled('/a', 'The late herons');
  titled('/b', 'The cranes');
  reported('/b');
  expect(browser.entries.map((entry) => entry && titleOf(browser.titles, entry))).toEqual([null, 'The late herons', 'The cranes']);
  expect(browser.entry?.path).toBe('/b#part');
});
