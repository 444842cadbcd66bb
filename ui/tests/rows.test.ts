import { expect, test } from 'vitest';
import { HEAD, ROW, stacked, visible } from '../src/lib/rows';

const many = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test('sections are stacked, and an empty one takes no space', () => {
  const [none, first, second] = stacked([[], many(3), many(2)]);
  expect(none?.items).toEqual([]);
  expect(first?.top).toBe(HEAD);
  expect(second?.top).toBe(HEAD + 3 * ROW + HEAD);
});

test('only the visible rows exist, with a few spare and the focused one', () => {
  const [section] = stacked([many(5000)]);
  if (!section) throw new Error('no section');
  const rows = visible(section, 0, 700, -1);
  expect(rows[0]).toBe(0);
  expect(rows.length).toBeLessThan(25);
  const middle = visible(section, 2000 * ROW, 2000 * ROW + 700, 3);
  expect(middle[0]).toBe(3);
  expect(middle).toContain(2000);
  expect(middle.length).toBeLessThan(32);
  expect(visible(section, 2000 * ROW, 2000 * ROW + 700, 4999).at(-1)).toBe(4999);
  expect(visible(section, 10_000 * ROW, 10_000 * ROW + 700, -1)).toEqual([]);
});
