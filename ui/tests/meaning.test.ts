import { expect, it } from 'vitest';
import { caseLost, meaning, webAddress } from '../src/lib/meaning';

const PEER = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const LABEL = 'k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or';

it.each([
  ['', 'name'],
  ['kitchen', 'name'],
  ['Anna: notes', 'name'],
  ['v1.2', 'name'],
  ['Lena’s radio. Live', 'name'],
  [PEER, 'link'],
  [`goop://${PEER}/a b`, 'link'],
  [` goop://${LABEL}/`, 'link'],
  [`http://127.0.0.1:8080/p/${PEER}/`, 'link'],
  [`http://${LABEL}.localhost:8080/x`, 'link'],
  ['goop://nobody/', 'link'],
  [`/ip4/10.0.0.1/tcp/1/p2p/${PEER}`, 'network'],
  ['goop://connect?url=https%3A%2F%2Fmeet.example', 'connect'],
  ['https://meet.example/', 'web'],
  ['http://192.168.1.5:8787', 'web'],
  ['meet.example', 'web'],
  ['meet.example:8787/path', 'web'],
  ['192.168.1.5:8787', 'web'],
  ['localhost:8787', 'web'],
  ['nas:8787', 'web'],
  ['müller.example', 'web'],
])('%j is a %s', (text, means) => expect(meaning(text)).toBe(means));

it('completes web addresses, and only those', () => {
  expect(webAddress(' meet.example:8787/a ')).toBe('https://meet.example:8787/a');
  expect(webAddress('HTTP://meet.example')).toBe('http://meet.example/');
  for (const text of ['kitchen', PEER, 'https://', 'http://a b/', '/ip4/10.0.0.1/tcp/1']) expect(webAddress(text)).toBeNull();
});

it('knows an id whose letters were changed to one case', () => {
  for (const text of [PEER.toLowerCase(), `goop://${PEER.toLowerCase()}/a`, `GOOP://${PEER.toUpperCase()}/`, `http://127.0.0.1:8080/p/${PEER.toLowerCase()}/`]) expect(caseLost(text)).toBe(true);
  for (const text of [PEER, `goop://${PEER}/`, LABEL, `goop://${LABEL}/`, 'goop://nobody/', 'kitchen', '12d3koo']) expect(caseLost(text)).toBe(false);
  expect(meaning(PEER.toLowerCase())).toBe('link');
});
