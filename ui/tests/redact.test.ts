import { expect, test } from 'vitest';
import { redact } from '../src/lib/redact';

const MIRA = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const OTHER = '12D3KooWQuX36bUushwbM8m3Jas54d3N1zadfxo1MshD6iJZPAVr';
const LABEL = 'k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or';
const people = [
  { id: MIRA, names: ['Mira’s corner', 'mira@example.org', ''] },
  { id: OTHER, names: ['Anselm (notes)', '', 'a.b'] },
];

test('no person or address is left, and the same one always gets the same number', () => {
  const text = [
    `connected peer=${MIRA} remote=/ip4/192.168.1.20/tcp/40123 dialled=true`,
    `hello from Mira’s corner <mira@example.org> and Anselm (notes), called a.b; not aab`,
    `again /ip4/192.168.1.20/udp/1 and /ip6/fd12:3456:789a::17/tcp/2, peer=12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp`,
    `GET http://${LABEL}.localhost:8080/p/${OTHER}/ from https://rendezvous.example:8787/publish /dns4/relay.example/tcp/4001`,
    'write /home/mira/peers/mine/goop.json: other@example.org, 127.0.0.1:8080 at 20:19:50',
  ].join('\n');
  const out = redact(text, people);
  expect(out).toBe(
    [
      'connected peer=<peer 1> remote=/ip4/<address 1>/tcp/40123 dialled=true',
      'hello from <peer 1> <<peer 1>> and <peer 2>, called <peer 2>; not aab',
      'again /ip4/<address 1>/udp/1 and /ip6/<address 2>/tcp/2, peer=<peer 3>',
      'GET http://<host 1>:8080/p/<peer 2>/ from https://<host 2>:8787/publish /dns4/<host 3>/tcp/4001',
      'write /home/<user 1>/peers/mine/goop.json: <mail 1>, 127.0.0.1:8080 at 20:19:50',
    ].join('\n'),
  );
});

test('a name full of symbols is a name, and a short one is a word', () => {
  expect(redact('x [a-z]+$ ab -/- y', [{ id: MIRA, names: ['[a-z]+$', 'ab', '-/-'] }])).toBe('x <peer 1> ab <peer 1> y');
});

test('a long log is fast', () => {
  const line = `connected peer=${MIRA} remote=/ip4/192.168.1.20/tcp/40123 text="${'a:'.repeat(300)}"\n`;
  const many = Array.from({ length: 500 }, (_, i) => ({ id: `${OTHER.slice(0, -4)}${1111 + i}`, names: [`Name number ${i}`] }));
  const start = performance.now();
  redact(line.repeat(2000), many);
  expect(performance.now() - start).toBeLessThan(5000);
});
