import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refusal, type Api, type Hosting, type Joined } from '../src/api';
import { joinedStatus } from '../src/lib/joined';
import { fromHosting, HostForm, mistakes, toHost, type Form } from '../src/state/hosting.svelte';
import { Joining } from '../src/state/joining.svelte';

const MEET = 'https://meet.example';
const OFF: Hosting = { state: 'off', problem: null, port: 8787, bind: '', relay_port: 0, connect_urls: [], public_page: '', admin_page: '', peers: 0, relayed: null, messages_per_second: 0 };
const joined = (more: Partial<Joined> = {}): Joined => ({ url: MEET, name: 'meet.example', state: 'connected', reason: null, peers: 0, relay: 'none', since: 0, next: null, registration: 'none', ...more });

/** An api with only what these states need, and a memory. */
function api(rendezvous: Partial<Api['rendezvous']>, kept: Record<string, unknown> = {}): Api {
  const prefer = async (name: string, value: unknown): Promise<void> => void (kept[name] = structuredClone(value));
  return { rendezvous, prefer, preference: async (name: string) => kept[name] ?? null } as unknown as Api;
}

const refused = (message: string): Refusal => new Refusal({ code: 'invalid', message });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the status of a joined rendezvous', () => {
  it.each<[Partial<Joined>, string, string]>([
    [{ state: 'connecting' }, 'off', 'Connecting…'],
    [{}, 'good', 'Connected · nobody else yet'],
    [{ peers: 1 }, 'good', 'Connected · 1 peer'],
    [{ peers: 12408, relay: 'ready' }, 'good', 'Connected · 12,408 peers · relay ready'],
    [{ relay: 'offered' }, 'good', 'Connected · nobody else yet · relay available'],
    [{ state: 'lost', reason: 'No server answers at x.' }, 'warn', 'No server answers at x. Goop2 keeps trying.'],
    [{ state: 'refused', reason: 'This rendezvous is full.' }, 'warn', 'This rendezvous is full.'],
    [{ registration: 'required', peers: 3 }, 'warn', 'Connected, but not registered yet: nobody there can see you.'],
    [{ registration: 'registered', peers: 3 }, 'good', 'Connected · 3 peers'],
  ])('%j', (more, tone, text) => {
    const how = joinedStatus(joined(more));
    expect([how.tone, how.said + how.more]).toEqual([tone, text]);
  });
});

describe('a connect URL that is typed', () => {
  it('is checked after a pause, and only the newest answer counts', async () => {
    const asked: ((url: string) => void)[] = [];
    const joining = new Joining(api({ address: () => new Promise((answer) => asked.push(answer)) }));
    for (const text of ['meet.ex', 'meet.example']) {
      joining.text = text;
      joining.typed();
      await vi.advanceTimersByTimeAsync(1000);
    }
    asked[1]?.(MEET);
    await vi.advanceTimersByTimeAsync(0);
    asked[0]?.('https://meet.ex');
    await vi.advanceTimersByTimeAsync(0);
    expect(joining.address).toBe(MEET);
  });

  it('that is invalid says why, until it is changed', async () => {
    const joining = new Joining(api({ address: async () => Promise.reject(refused('No.')) }));
    joining.text = 'x:';
    joining.typed();
    await vi.advanceTimersByTimeAsync(1000);
    expect(joining.problem).toBe('No.');
    joining.text = '';
    joining.typed();
    await vi.advanceTimersByTimeAsync(1000);
    expect(joining.problem).toBe('');
  });

  it('is joined, and remembered once it answered, the latest first', async () => {
    const kept: Record<string, unknown> = {};
    const joining = new Joining(api({ join: async (text) => `https://${text}`, leave: async () => {} }, kept));
    for (const text of ['a', 'b', 'hello']) expect(await joining.join(text)).toBe(true);
    expect(joining.recent).toEqual([]);
    joining.answered(['https://b']);
    joining.answered(['https://b', 'https://a']);
    for (const url of ['https://b', 'https://hello']) await joining.leave(url);
    await joining.leave('https://a');
    expect(joining.recent).toEqual(['https://a', 'https://b']);
    joining.forget('https://a');
    const again = new Joining(api({}, kept));
    await again.load();
    expect(again.recent).toEqual(['https://b']);
  });

  it('stays where it is when it cannot be joined', async () => {
    const joining = new Joining(api({ join: async () => Promise.reject(refused('16 are enough.')) }));
    joining.text = 'meet.example';
    expect(await joining.join()).toBe(false);
    expect([joining.text, joining.problem, joining.busy, joining.recent.length]).toEqual(['meet.example', '16 are enough.', false, 0]);
  });

  it('ignores invalid remembered values', async () => {
    const joining = new Joining(api({}, { 'rendezvous.recent': [1, 'https://a', null], 'rendezvous.asked': 'x' }));
    await joining.load();
    expect([joining.recent, joining.asked]).toEqual([['https://a'], {}]);
  });
});

it('a registration waits, even across a restart, until it is complete', async () => {
  const kept: Record<string, unknown> = {};
  const joining = new Joining(api({ register: async () => 'We’ve sent you a link.' }, kept));
  await joining.register(MEET, ' ann@example.org ');
  const again = new Joining(api({}, kept));
  await again.load();
  expect(again.asked).toEqual({ [MEET]: { email: 'ann@example.org', message: 'We’ve sent you a link.' } });
  again.settled(MEET);
  expect(again.asked).toEqual({});
});

describe('the form of a host', () => {
  const form = (more: Partial<Form> = {}): Form => ({ ...fromHosting(OFF), ...more });

  it.each<[Partial<Form>, keyof ReturnType<typeof mistakes>]>([
    [{ port: '' }, 'port'],
    [{ port: '0' }, 'port'],
    [{ port: '65536' }, 'port'],
    [{ port: '1e3' }, 'port'],
    [{ reach: 'one', bind: 'here' }, 'bind'],
    [{ reach: 'one', bind: '' }, 'bind'],
    [{ relay: true, relayPort: 'x' }, 'relayPort'],
    [{ relay: true, relayPort: '8787' }, 'relayPort'],
  ])('refuses %j', (more, field) => {
    expect(mistakes(form(more))[field]).not.toBe('');
    expect(mistakes(form(more)).any).toBe(true);
  });

  it.each<[Partial<Form>, object]>([
    [{}, { port: 8787, bind: '', relay_port: 0 }],
    [{ port: ' 80 ', reach: 'here', bind: '10.0.0.1' }, { port: 80, bind: '127.0.0.1', relay_port: 0 }],
    [{ reach: 'one', bind: ' 2001:db8::1 ', relay: true }, { port: 8787, bind: '2001:db8::1', relay_port: 4002 }],
    [{ reach: 'all', relay: false, relayPort: 'x' }, { port: 8787, bind: '', relay_port: 0 }],
  ])('means %j', (more, host) => {
    expect(mistakes(form(more)).any).toBe(false);
    expect(toHost(form(more), true)).toEqual({ on: true, ...host });
  });

  it('shows what was requested until the peer reports its state', async () => {
    const asked: unknown[] = [];
    const host = new HostForm(api({ host: async (request) => void asked.push(request) }));
    await host.load(OFF);
    expect(host.on(OFF)).toBe(false);
    await host.apply(true);
    expect([host.on(OFF), asked]).toEqual([true, [{ on: true, port: 8787, bind: '', relay_port: 0 }]]);
    host.reported({ ...OFF, state: 'on' });
    expect(host.on({ ...OFF, state: 'on' })).toBe(true);
    // A request that is never confirmed is given up.
    await host.apply(false);
    expect(host.on({ ...OFF, state: 'on' })).toBe(false);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(host.on({ ...OFF, state: 'on' })).toBe(true);
  });

  it('is not misled by a report from before the last request', async () => {
    const host = new HostForm(api({ host: async () => {} }));
    await host.load(OFF);
    const on: Hosting = { ...OFF, state: 'on' };
    host.reported(OFF);
    await host.apply(true);
    host.reported(OFF);
    await host.apply(false);
    // Only now what came of each arrives.
    host.reported(OFF);
    host.reported(on);
    expect(host.on(on)).toBe(false);
    host.reported(OFF);
    expect(host.on(OFF)).toBe(false);
    host.reported(on);
    expect(host.on(on)).toBe(true);
  });

  it('loses no click while the peer is busy with the previous one', async () => {
    const asked: [boolean, () => void][] = [];
    const host = new HostForm(api({ host: ({ on }) => new Promise((done) => asked.push([on, done])) }));
    await host.load(OFF);
    const on: Hosting = { ...OFF, state: 'on' };
    const first = host.apply(true);
    // The peer hosts already, and yet has not answered.
    host.reported(on);
    for (const request of [false, true, false]) await host.apply(request);
    expect(host.on(on)).toBe(false);
    asked[0]?.[1]();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.map(([request]) => request)).toEqual([true, false]);
    asked[1]?.[1]();
    await first;
    host.reported(OFF);
    expect([host.on(OFF), host.busy]).toEqual([false, false]);
  });

  it('requests nothing invalid, and shows why it was refused', async () => {
    const host = new HostForm(api({ host: async () => Promise.reject(refused('Not now.')) }));
    await host.load(OFF);
    host.form.port = '0';
    await host.apply(true);
    expect([host.on(OFF), host.problem]).toEqual([false, '']);
    host.form.port = '8787';
    await host.apply(true);
    expect([host.on(OFF), host.problem]).toEqual([false, 'Not now.']);
  });

  it('keeps the port of the relay while hosting is off', async () => {
    const kept: Record<string, unknown> = {};
    const host = new HostForm(api({ host: async () => {} }, kept));
    await host.load(OFF);
    host.form.relay = true;
    await host.apply(true);
    const again = new HostForm(api({}, kept));
    await again.load(OFF);
    expect([again.form.relay, again.form.relayPort]).toEqual([true, '4002']);
  });
});
