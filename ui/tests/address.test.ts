import { describe, expect, it } from 'vitest';
import { frameUrl, isMultiaddr, isPage, link, looksLikeAddress, readable, sameDocument, siteOrigin, tidy } from '../src/lib/address';
import { shared } from '../src/lib/share';

const PEER = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const LABEL = 'k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or';

it('writes a place as a link and as a frame address', () => {
  const place = { peer: PEER, path: '/a b/ü.html?q=1#top' };
  expect(link(place)).toBe(`goop://${PEER}/a%20b/%C3%BC.html?q=1#top`);
  expect(shared(place)).toBe(`goop://${LABEL}/a%20b/%C3%BC.html?q=1#top`);
  expect(shared({ peer: 'nobody', path: '' })).toBe('goop://nobody/');
  expect(siteOrigin(PEER, 8080)).toBe(`http://${LABEL}.localhost:8080`);
  expect(siteOrigin(PEER, 8080, true)).toBe(`http://v${LABEL}.localhost:8080`);
  expect(siteOrigin('nobody', 8080)).toBeNull();
  expect(frameUrl(place, 'http://localhost:9001')).toBe(`http://localhost:9001/p/${PEER}/a%20b/%C3%BC.html?q=1#top`);
});

it.each([
  ['', '/'],
  ['/', '/'],
  ['page', '/page'],
  ['/a/../b', '/b'],
  ['//evil.example/x', '//evil.example/x'],
  ['/%zz', '/%zz'],
  ['@evil.example/', '/@evil.example/'],
  [':99/', '/:99/'],
])('tidies %j to %j, never out of the site', (path, tidied) => {
  expect(tidy(path)).toBe(tidied);
  expect(new URL(frameUrl({ peer: PEER, path }, 'http://site:8080')).host).toBe('site:8080');
});

it('compares documents without their fragments, however they are spelled', () => {
  const at = (path: string, peer = PEER) => ({ peer, path });
  expect(sameDocument(at('/a#x'), at('/a#y'))).toBe(true);
  expect(sameDocument(at('/a b'), at('/a%20b'))).toBe(true);
  expect(sameDocument(at('/a?x'), at('/a'))).toBe(false);
  expect(sameDocument(at('/a'), at('/a', 'other'))).toBe(false);
});

it('shows paths unescaped where possible', () => {
  expect(readable('/a%20b')).toBe('/a b');
  expect(readable('/%zz')).toBe('/%zz');
});

describe('looksLikeAddress', () => {
  it.each([`goop://${PEER}/`, 'GOOP://x', 'http://127.0.0.1:8080/p/x/', PEER, `${PEER}/page`, LABEL, `${LABEL}.localhost`, '/ip4/10.0.0.1/tcp/1/p2p/x', ' /dns4/a/tcp/1 '])('takes %j', (text) =>
    expect(looksLikeAddress(text)).toBe(true),
  );
  it.each(['', 'kitchen', 'http', '/', 'Anna: notes', '12D3Koo'])('leaves %j to the search', (text) => expect(looksLikeAddress(text)).toBe(false));
});

it('recognizes network addresses', () => {
  expect(isMultiaddr('/ip6/::1/udp/1/quic-v1')).toBe(true);
  expect(isMultiaddr('/index.html')).toBe(false);
});

it.each(['/', '/a/', '/a', '/a.html', '/a.HTM?x=.zip', '/a#b.zip'])('takes %j for a page', (path) => expect(isPage(path)).toBe(true));
it.each(['/a.zip', '/a/b.pdf?x=/', '/v1.2'])('takes %j for a file', (path) => expect(isPage(path)).toBe(false));
