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

test('a change is applied, told and taken back', async () => {
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

test('what is as it was is not sent, and what needs another start says so', async () => {
  const { form, toasts, changed } = world(() => ({ ...START, mdns_tag: 'work', restarting: true }));
  await form.load();
  expect(await form.set('p2p.mdns_tag', 'home', 'Tag')).toBe(true);
  expect(changed).not.toHaveBeenCalled();
  await form.set('p2p.mdns_tag', 'work', 'Tag');
  expect(toasts.current?.text).toBe('Tag changed. Goop2 is restarting to apply it.');
});

test('a refusal stands at its setting, and goes with the next attempt', async () => {
  let refuse = true;
  const { form, toasts } = world(() => {
    if (refuse) throw new Refusal({ code: 'setting', message: 'p2p.mdns_tag is "a b"; allowed is …' });
    return { ...START, mdns_tag: 'ab' };
  });
  await form.load();
  expect(await form.set('p2p.mdns_tag', 'a b', 'Tag')).toBe(false);
  expect(form.problems['p2p.mdns_tag']).toBe('p2p.mdns_tag is "a b"; allowed is …');
  expect(form.current?.mdns_tag).toBe('home');
  expect(toasts.current).toBeNull();
  refuse = false;
  expect(await form.set('p2p.mdns_tag', 'ab', 'Tag')).toBe(true);
  expect(form.problems['p2p.mdns_tag']).toBe('');
});

test('a list is changed only by another one, and taken back as a whole', async () => {
  const { form, toasts, changed } = world((values) => ({ ...START, site_sources: values['viewer.site_sources'] as string[] }));
  await form.load();
  expect(await form.set('viewer.site_sources', origins('  '), 'Sources')).toBe(true);
  expect(changed).not.toHaveBeenCalled();
  await form.set('viewer.site_sources', origins('http://192.168.1.20:8123/, http://radio.local'), 'Sources');
  expect(form.current?.site_sources).toEqual(['http://192.168.1.20:8123', 'http://radio.local']);
  toasts.undo();
  await vi.waitFor(() => expect(form.current?.site_sources).toEqual([]));
});

test('from a file that no peer starts with there is a way forward and none back', async () => {
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
