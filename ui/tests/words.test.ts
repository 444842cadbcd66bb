import { describe, expect, it } from 'vitest';
import type { PeerCard } from '../src/api';
import { displayName, fold, hue, initial } from '../src/lib/names';
import { summary, connection } from '../src/lib/connection';
import { size } from '../src/lib/bytes';
import { search } from '../src/lib/search';
import { ago, roundTrip } from '../src/lib/time';

const MINUTE = 60_000;
const peer = (more: Partial<PeerCard> = {}): PeerCard => ({ id: '12D3KooWabcdefgh', label: 'Tomás — zines', name: '', favourite: false, email: '', avatar_hash: '', group: 'nearby', verified: true, last_seen: 0, path: null, ...more });

it.each([
  [-5 * MINUTE, 'just now'],
  [59_999, 'just now'],
  [MINUTE, '1 min ago'],
  [14.9 * MINUTE, '14 min ago'],
  [3 * 60 * MINUTE, '3 h ago'],
  [25 * 60 * MINUTE, 'yesterday'],
  [5 * 24 * 60 * MINUTE, '5 days ago'],
])('says of %d ms: %s', (past, words) => {
  expect(ago(1e12, 1e12 + past)).toBe(words);
});

it('gives the date of what was long ago', () => {
  expect(ago(Date.UTC(2024, 4, 5, 12), Date.UTC(2026, 0, 1))).toContain('2024');
});

it.each([
  [0.3, '<1 ms'],
  [2.4, '2 ms'],
  [999, '999 ms'],
  [1340, '1.3 s'],
])('writes %d as %s', (ms, text) => expect(roundTrip(ms)).toBe(text));

describe('names of strangers', () => {
  it('are one line, bounded, without direction tricks, and never empty', () => {
    expect(displayName(peer({ label: ' two\nlines\u202eevil\u0000 ' }))).toBe('two lines evil');
    expect(displayName(peer({ label: 'x'.repeat(4096) })).length).toBe(160);
    expect(displayName(peer({ label: '\n' }))).toBe('12D3Koo…efgh');
  });

  it.each([
    ['mira', 'M'],
    ['— zines', 'Z'],
    ['“é”', 'É'],
    ['👩‍🌾 farm', '👩‍🌾'],
    ['日本', '日'],
    ['…', '?'],
  ])('of %j show %j', (name, letter) => expect(initial(name)).toBe(letter));

  it('keep their color', () => {
    expect(hue('12D3KooWabc')).toBe(hue('12D3KooWabc'));
    const hues = new Set(Array.from({ length: 200 }, (_, i) => hue(`12D3KooW${i}`)));
    expect(hues.size).toBe(12);
  });

  it('are found without their accents, in any order of words', () => {
    expect(fold('Tomás')).toBe('tomas');
    expect(search([peer()], 'ZINES tomas')).toHaveLength(1);
    expect(search([peer()], '12d3koowabc')).toHaveLength(1);
    expect(search([peer()], 'tomas radio')).toHaveLength(0);
    expect(search([peer(), peer()], '  ')).toHaveLength(2);
  });

  it('are found by their current name', () => {
    expect(search([peer({ label: 'Radio' })], 'tomas')).toHaveLength(0);
    expect(search([peer({ label: 'Radio', name: 'Tomás again' })], 'tomas')).toHaveLength(1);
    expect(search([peer({ label: 'Radio', email: 'tomas@example.org' })], 'again')).toHaveLength(0);
  });
});

it.each([
  [peer({ path: { kind: 'lan', transport: 'quic', rtt_ms: 2, relay: null } }), 'Direct · LAN · 2 ms', 'good'],
  [peer({ path: { kind: 'direct', transport: 'tcp', rtt_ms: null, relay: null } }), 'Direct', 'good'],
  [peer({ path: { kind: 'relayed', transport: 'tcp', rtt_ms: 88, relay: null } }), 'Relayed · 88 ms', 'warn'],
  [peer(), 'Not connected yet', 'off'],
  [peer({ group: 'earlier', path: { kind: 'lan', transport: 'tcp', rtt_ms: 1, relay: null } }), 'Offline', 'off'],
  [undefined, 'Not seen yet', 'off'],
] as const)('describes the connection to a peer (%#)', (card, text, tone) => {
  expect(connection(card)).toMatchObject({ text, tone });
});

it.each([
  [{ kind: 'direct', transport: 'quic', rtt_ms: 34, relay: null } as const, 'Direct · QUIC · 34 ms'],
  [{ kind: 'lan', transport: 'tcp', rtt_ms: null, relay: null } as const, 'Direct · LAN · TCP'],
  [{ kind: 'relayed', transport: 'tcp', rtt_ms: 88, relay: { id: '12D3KooW', label: 'meet.example' } } as const, 'Relayed by meet.example · TCP · 88 ms'],
])('writes one connection: %j', (path, text) => expect(summary(path)).toBe(text));

it.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [999, '999 bytes'],
  [1000, '1.0 kB'],
  [12_345, '12 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [5_240_000, '5.2 MB'],
  [7.5e12, '7.5 TB'],
])('writes %d bytes as %s', (bytes, text) => expect(size(bytes)).toBe(text));
