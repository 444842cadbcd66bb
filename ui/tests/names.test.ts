import { expect, it } from 'vitest';
import { displayName, isolated, oneLine } from '../src/lib/names';

const ID = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';

it.each([
  ['two\nlines\tand\u2028more', 'two lines and more'],
  ['\u202eevil\u202c name\u200f', 'evil  name'],
  ['tag\u{e0041}ged', 'tag ged'],
  ['👩\u200d🌾 garden', '👩\u200d🌾 garden'],
  ['می\u200cخواهم', 'می\u200cخواهم'],
  ['\u200b\u2800\u3164', ''],
  ['x'.repeat(5000), 'x'.repeat(160)],
])('shows %j on one line', (text, line) => expect(oneLine(text)).toBe(line));

it('falls back to the next name that is seen', () => {
  expect(displayName({ id: ID, label: 'Anna', name: 'Downstairs' })).toBe('Downstairs');
  expect(displayName({ id: ID, label: 'Anna', name: '\u200b' })).toBe('Anna');
  expect(displayName({ id: ID, label: '\u202e' })).toBe('12D3Koo…U5SA');
});

it('isolates names that are written from right to left, where nothing else does', () => {
  expect(isolated('Anna')).toBe('Anna');
  expect(isolated('נועה')).toBe('\u2068נועה\u2069');
});
