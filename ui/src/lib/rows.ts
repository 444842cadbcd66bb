// Which rows of a long list are in view. Only those exist: thousands of rows that change cost more than a frame has time for.

/** Height of a row and of a heading, in pixels; PeerList.svelte gives them to both. */
export const ROW = 52;
export const HEAD = 36;

/** Rows kept above and below what is in view, so that scrolling does not outrun them. */
const SPARE = 6;

export interface Section<T> {
  readonly items: readonly T[];
  /** How many stand in the sections above. */
  readonly before: number;
  /** Where its first row is. */
  readonly top: number;
}

/** Sections below each other, each under its heading. */
export function stacked<T>(lists: readonly (readonly T[])[]): Section<T>[] {
  let top = 0;
  let before = 0;
  return lists.map((items) => {
    const section = { items, before, top: top + HEAD };
    if (items.length > 0) top = section.top + items.length * ROW;
    before += items.length;
    return section;
  });
}

/** The numbers of the rows of a section that are in view between two heights, and `kept` where it is one of the section's. */
export function visible<T>({ items, top }: Section<T>, from: number, to: number, kept: number): number[] {
  const first = Math.max(0, Math.floor((from - top) / ROW) - SPARE);
  const last = Math.min(items.length - 1, Math.ceil((to - top) / ROW) + SPARE);
  const rows = last < first ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i);
  if (kept < 0 || kept >= items.length || rows.includes(kept)) return rows;
  return kept < first ? [kept, ...rows] : [...rows, kept];
}
