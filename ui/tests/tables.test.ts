import { describe, expect, test } from 'vitest';
import type { TableColumn, TableInfo } from '../src/api';
import { editable, moment, shown, text, typed } from '../src/lib/cells';
import { consequences, inWords } from '../src/lib/policies';
import { existing, moved, rowsAt, tall, topAt } from '../src/lib/tall';
import { entries } from '../src/state/entries';

const ROW = 36;
const VIEW = 500;

describe('a list of any length', () => {
  test('that is short is scrolled as it is', () => {
    const list = tall(1000, ROW, VIEW);
    expect(list.height).toBe(36_000);
    expect(rowsAt(list, 1234)).toBe(1234);
    expect(existing(list, 0, ROW)[0]).toBe(0);
  });

  test.each([300_000, 1_000_000, 50_000_000])('of %i rows reaches both ends, and comes back to where it was', (rows) => {
    const list = tall(rows, ROW, VIEW);
    expect(list.height).toBeLessThan(10_000_000);
    const last = list.all - VIEW;
    expect(topAt(list, 0)).toBe(0);
    expect(topAt(list, last)).toBe(list.height - VIEW);
    expect(existing(list, last, ROW)[1]).toBe(rows);
    for (let part = 0; part <= 1; part += 0.01) {
      const at = part * last;
      expect(Math.abs(rowsAt(list, topAt(list, at)) - at)).toBeLessThan(1);
    }
  });

  test('moves by as much as the wheel, and jumps with the scroll bar', () => {
    const list = tall(1_000_000, ROW, VIEW);
    const middle = 18_000_000;
    const top = topAt(list, middle);
    expect(moved(list, middle, top, top + 100)).toBe(middle + 100);
    expect(moved(list, middle, top, list.height - VIEW)).toBe(list.all - VIEW);
    expect(moved(list, middle, top, 0)).toBe(0);
    expect(Math.abs(moved(list, 0, 0, top) - middle)).toBeLessThan(1);
    const [first, last] = existing(list, middle, ROW);
    expect(last - first).toBeLessThan(40);
  });
});

const column = (kind: string, not_null = false): TableColumn => ({ name: 'c', kind, not_null, system: false });

test('cells in words', () => {
  expect(shown(null, 'text')).toBe('');
  expect(shown({ $int: '9223372036854775807' }, 'whole')).toBe('9223372036854775807');
  expect(shown({ $blob: 1234 }, 'other')).toBe('1.2 kB of data');
  expect(shown({ $cut: 'a\nb', bytes: 900 }, 'text')).toBe('a b…');
  expect([shown(1, 'yes_no'), shown(0, 'yes_no'), shown(2, 'yes_no')]).toEqual(['Yes', 'No', '2']);
  expect(text({ $cut: 'a', bytes: 900 })).toBeNull();
  expect(moment('2026-11-30 14:05:00')).toBe(Date.UTC(2026, 10, 30, 14, 5));
  expect(moment('soon')).toBeNaN();
});

test('what is typed becomes what the column keeps, or says why not', () => {
  expect(typed('', column('whole'))).toEqual({ value: null });
  expect(typed('', column('text', true))).toEqual({ error: '“c” can’t be empty.' });
  expect(typed(' 12 ', column('whole'))).toEqual({ value: 12 });
  expect(typed('9223372036854775807', column('whole'))).toEqual({ value: { $int: '9223372036854775807' } });
  expect(typed('1.5', column('whole'))).toHaveProperty('error');
  expect(typed('1.5', column('number'))).toEqual({ value: 1.5 });
  expect(typed('x', column('number'))).toHaveProperty('error');
  expect(typed('2026-11-30', column('date'))).toEqual({ value: '2026-11-30' });
  expect(typed('tomorrow', column('date'))).toHaveProperty('error');
  expect(typed(' a ', column('text'))).toEqual({ value: ' a ' });
  expect(editable({ ...column('text'), system: true }, '')).toBe(false);
  expect(editable(column('other'), { $blob: 3 })).toBe(false);
});

test('a change of the policy says what comes of it', () => {
  expect(consequences('open', 'open', 3)).toEqual([]);
  expect(consequences('open', 'public', 40)).toEqual(['The 40 rows in it can be read by everybody who visits your site.']);
  expect(consequences('public', 'owner', 1)).toEqual(['Visitors can’t add anything anymore. They can still change and remove what they wrote.']);
  expect(consequences('public', 'email', 1)).toHaveLength(2);
  expect(consequences('owner', 'public', 1)).toEqual(['Every visitor can add rows.']);
  expect(inWords('something', false)).toBe('Visitors see only their own, and add nothing');
});

test('new entries are told once, by table', () => {
  const table = (name: string, fresh: number): TableInfo => ({ name, fresh, policy: 'public', restricted: false, rows: 0, bytes: 0, full: 0, columns: [] });
  expect(entries([table('a', 1)], [table('a', 1)])).toBe('');
  expect(entries([table('a', 1)], [table('a', 3), table('b', 1)])).toBe('2 new entries in a, 1 new entry in b');
  expect(entries([table('a', 3)], [table('a', 0)])).toBe('');
});
