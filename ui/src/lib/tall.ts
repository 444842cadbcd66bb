// Rows by the million in an element that scrolls. Browsers refuse elements higher than some ten million pixels, so a higher list
// scrolls in a shorter element: small steps move the rows as far as the finger or wheel moved, and jumps of the scroll bar go to the
// same part of the list. Near both ends the two agree to the pixel, so that the ends are reached.

/** The highest element: every browser draws twice as much. */
const MAX_HEIGHT = 8_000_000;
/** From each end, rows are where a list of their own height would have them. */
const END = 1_000_000;
/** Rows kept above and below the visible ones, so that scrolling does not outrun them. */
const SPARE = 8;

/** Some rows of one height, seen through a window. */
export interface Tall {
  /** Of the element that scrolls. */
  readonly height: number;
  /** Of all rows. */
  readonly all: number;
  /** What is seen at once. */
  readonly view: number;
}

export const tall = (rows: number, row: number, view: number): Tall => ({ height: Math.min(rows * row, MAX_HEIGHT), all: rows * row, view });

/** How far rows are scrolled where the element is scrolled to `top`. */
export function rowsAt({ height, all, view }: Tall, top: number): number {
  if (height === all) return top;
  const [short, long] = [height - view, all - view];
  if (top <= END) return top;
  if (top >= short - END) return long - (short - top);
  return END + ((top - END) / (short - 2 * END)) * (long - 2 * END);
}

/** Where the element is scrolled to when rows are scrolled this far. */
export function topAt({ height, all, view }: Tall, rows: number): number {
  if (height === all) return rows;
  const [short, long] = [height - view, all - view];
  if (rows <= END) return rows;
  if (rows >= long - END) return short - (long - rows);
  return END + ((rows - END) / (long - 2 * END)) * (short - 2 * END);
}

/** The rows after the element moved from one place to another. */
export function moved(list: Tall, rows: number, from: number, to: number): number {
  const step = to - from;
  const small = Math.abs(step) <= 2 * list.view;
  const end = to <= 0 || to >= list.height - list.view;
  return small && !end ? Math.max(0, Math.min(rows + step, list.all - list.view)) : rowsAt(list, to);
}

/** The first row that exists, and the one after the last. */
export function existing(list: Tall, rows: number, row: number): readonly [number, number] {
  const count = Math.round(list.all / row);
  return [Math.max(0, Math.floor(rows / row) - SPARE), Math.min(count, Math.ceil((rows + list.view) / row) + SPARE)];
}
