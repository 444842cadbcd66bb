// Which rows of a long list are visible. Only those exist: updating thousands of rows takes longer than a frame.

/** Height of a row and of a heading, in pixels; PeerList.svelte sets both. */
export const ROW = 52;
export const HEAD = 36;

/** Rows kept above and below the visible ones, so that scrolling does not outrun them. */
const SPARE = 6;

export interface Section<T> {
  readonly items: readonly T[];
  /** How many items the sections above have. */
  readonly before: number;
  /** Where its first row starts. */
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

/** The indexes of a section's rows that are visible between two heights, and `kept` if it is one of the section's. */
export function visible<T>({ items, top }: Pick<Section<T>, 'items' | 'top'>, from: number, to: number, kept: number, row = ROW): number[] {
  const first = Math.max(0, Math.floor((from - top) / row) - SPARE);
  const last = Math.min(items.length - 1, Math.ceil((to - top) / row) + SPARE);
  const rows = last < first ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i);
  if (kept < 0 || kept >= items.length || rows.includes(kept)) return rows;
  return kept < first ? [kept, ...rows] : [...rows, kept];
}
