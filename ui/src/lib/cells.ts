// The cells of a table in words, and what the user types as a cell.

import type { Cell, ColumnKind, TableColumn } from '../api';
import { size } from './bytes';
import { plain } from './names';

export type Typed = { readonly value: Cell } | { readonly error: string };

/** More than a cell is wide. */
const MAX_SHOWN = 300;
const DATE = /^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?Z?$/;

export const KINDS: Record<ColumnKind, string> = { text: 'Text', whole: 'Whole number', number: 'Number', date: 'Date', yes_no: 'Yes/No' };

/** What a cell shows, on one line. */
export function shown(cell: Cell | undefined, kind: string): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'object') {
    if ('$int' in cell) return cell.$int;
    return '$cut' in cell ? `${plain(cell.$cut)}…` : `${size(cell.$blob)} of data`;
  }
  if (kind === 'yes_no' && (cell === 1 || cell === 0)) return cell === 1 ? 'Yes' : 'No';
  return plain(String(cell).slice(0, MAX_SHOWN));
}

/** All of a cell as it is edited; null where it cannot be. */
export function text(cell: Cell | undefined): string | null {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'object') return String(cell);
  return '$int' in cell ? cell.$int : null;
}

/** Whether the user may type a value: not for what Goop2 fills, nor for bytes. */
export const editable = (column: TableColumn, cell: Cell | undefined): boolean => !column.system && (column.kind !== 'other' || text(cell) !== null);

/** What was typed, as a cell of this column. */
export function typed(input: string, column: TableColumn): Typed {
  const value = input.trim();
  if (input === '' && !column.not_null) return { value: null };
  if (column.kind === 'text' || column.kind === 'other') return input === '' ? { error: `“${column.name}” can’t be empty.` } : { value: input };
  if (value === '') return { error: `“${column.name}” can’t be empty.` };
  if (column.kind === 'whole') return whole(value);
  if (column.kind === 'number') return Number.isFinite(Number(value)) ? { value: Number(value) } : { error: 'Enter a number, such as 12 or 3.5.' };
  if (column.kind === 'yes_no') return { value: value === '1' ? 1 : 0 };
  return DATE.test(value) ? { value } : { error: 'Enter a date like 2026-11-30, with or without a time like 14:05.' };
}

/** JavaScript rounds large numbers, so those go as text. */
function whole(value: string): Typed {
  if (!/^[+-]?\d{1,19}$/.test(value)) return { error: 'Enter a whole number.' };
  const number = Number(value);
  return { value: Number.isSafeInteger(number) ? number : { $int: value.replace(/^\+/, '') } };
}

/** Unix time of what SQLite writes for a time, in UTC; NaN for anything else. */
export const moment = (cell: Cell | undefined): number => (typeof cell === 'string' && DATE.test(cell) ? Date.parse(`${cell.replace(' ', 'T').replace(/Z$/, '')}${cell.length > 10 ? 'Z' : ''}`) : NaN);
