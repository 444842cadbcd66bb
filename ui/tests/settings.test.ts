import { expect, test, vi } from 'vitest';
import { Refusal, type Api, type Settings } from '../src/api';
import { SettingsForm, origins } from '../src/state/settings.svelte';
import { Toasts } from '../src/state/toasts.svelte';

const START: Settings = { label: 'Mira', email: '', mdns: true, mdns_tag: 'home', listen_port: 0, port_mapping: true, http_addr: '', site_sources: [], folder: '/x', text: '{}', blocked: [], problem: null, restarting: false };

function world(change: (values: Record<string, unknown>) => Settings) {
  const changed = vi.fn(async (values: Record<string, unknown>) => change(values));
  const api = { settings: { all: async () => START, change: changed } } as unknown as Api;
  const toasts = new Toasts();
  return { form: new SettingsForm(api, toasts), toasts, changed };
}

test('a change is applied, announced and undone', async () => {
  const { form, toasts, changed } = world((values) => ({ ...START, label: String(values['profile.label']) }));
  await form.load();
  expect(await form.set('profile.label', 'Anna', 'Name')).toBe(true);
  expect(form.current?.label).toBe('Anna');
  expect(toasts.current?.text).toBe('Name changed.');
  toasts.undo();
  await vi.waitFor(() => expect(form.current?.label).toBe('Mira'));
  expect(changed.mock.calls).toEqual([[{ 'profile.label': 'Anna' }], [{ 'profile.label': 'Mira' }]]);
  expect(toasts.current).toBeNull();
});

test('an unchanged value is not sent, and one that needs a restart says so', async () => {
  const { form, toasts, changed } = world(() => ({ ...START, mdns_tag: 'work', restarting: true }));
  await form.load();
  expect(await form.set('p2p.mdns_tag', 'home', 'Tag')).toBe(true);
  expect(changed).not.toHaveBeenCalled();
  await form.set('p2p.mdns_tag', 'work', 'Tag');
  expect(toasts.current?.text).toBe('Tag changed. Goop2 is restarting to apply it.');
});

test('an error is shown at its setting, and cleared by the next attempt', async () => {
  let refuse = true;
  const { form, toasts } = world(() => {
    if (refuse) throw new Refusal({ code: 'setting', message: 'p2p.mdns_tag is "a b", but must be …' });
    return { ...START, mdns_tag: 'ab' };
  });
  await form.load();
  expect(await form.set('p2p.mdns_tag', 'a b', 'Tag')).toBe(false);
  expect(form.problems['p2p.mdns_tag']).toBe('Use 1–63 letters, digits, "-" or "_".');
  expect(form.current?.mdns_tag).toBe('home');
  expect(toasts.current).toBeNull();
  refuse = false;
  expect(await form.set('p2p.mdns_tag', 'ab', 'Tag')).toBe(true);
  expect(form.problems['p2p.mdns_tag']).toBe('');
});

test('a list is changed only by a different one, and undone as a whole', async () => {
  const { form, toasts, changed } = world((values) => ({ ...START, site_sources: values['viewer.site_sources'] as string[] }));
  await form.load();
  expect(await form.set('viewer.site_sources', origins('  '), 'Sources')).toBe(true);
  expect(changed).not.toHaveBeenCalled();
  await form.set('viewer.site_sources', origins('http://192.168.1.20:8123/, http://radio.local'), 'Sources');
  expect(form.current?.site_sources).toEqual(['http://192.168.1.20:8123', 'http://radio.local']);
  toasts.undo();
  await vi.waitFor(() => expect(form.current?.site_sources).toEqual([]));
});

test('a file that no peer can start with can be repaired, with no undo', async () => {
  const broken = { ...START, text: '{ broken', problem: 'not valid JSON' };
  const replace = vi.fn(async (_: string, text: string) => ({ ...START, text }));
  const api = { settings: { all: async () => broken, replace } } as unknown as Api;
  const toasts = new Toasts();
  const form = new SettingsForm(api, toasts);
  await form.load();
  expect(await form.replace('{ broken', '{}')).toBe(true);
  expect(toasts.current).toEqual({ text: 'goop.json changed.' });
  await form.replace('{}', '{"a":1}');
  toasts.undo();
  await vi.waitFor(() => expect(replace).toHaveBeenLastCalledWith('{"a":1}', '{}'));
});

test('a name that nobody sees and an incomplete email address are not sent', async () => {
  const { form, changed } = world(() => START);
  await form.load();
  for (const name of ['', '  ', '\u202e\u200b', '\u2800']) expect(await form.set('profile.label', name, 'Name')).toBe(false);
  expect(form.problems['profile.label']).toBe('Enter a name. It’s what others see.');
  for (const email of ['not an email', 'a@b', '@example.org', 'a@b@c.org', 'a@example.']) expect(await form.set('profile.email', email, 'Email'), email).toBe(false);
  expect(changed).not.toHaveBeenCalled();
  for (const email of ['', 'ann@example.org', 'ann+x@müller.example']) await form.set('profile.email', email, 'Email');
  expect(form.problems['profile.email']).toBe('');
});

test('an address that other computers could reach, or that is none, is refused before the peer is asked', async () => {
  const { form, changed } = world(() => START);
  await form.load();
  for (const text of ['192.168.1.20:80', 'nonsense']) {
    expect(await form.set('viewer.http_addr', text, 'Address')).toBe(false);
    expect(form.problems['viewer.http_addr']).toBe('Enter an address of this computer, such as 127.0.0.1:8080.');
  }
  expect(changed).not.toHaveBeenCalled();
});
