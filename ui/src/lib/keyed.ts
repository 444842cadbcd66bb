// Keys for lists of data from outside. Two rows with one key keep a whole page from opening, so no key may depend on the
// data being distinct.

export interface Keyed<T> {
  readonly key: string;
  readonly item: T;
}

/** Each item with its own key: by what `name` says, counted where several say the same. */
export function keyed<T>(items: readonly T[], name: (item: T) => string): Keyed<T>[] {
  const seen = new Map<string, number>();
  return items.map((item) => {
    const said = name(item);
    const before = seen.get(said) ?? 0;
    seen.set(said, before + 1);
    return { key: `${before} ${said}`, item };
  });
}

/** The items without those that repeat an earlier one; the same list where none does. */
export function distinct<T>(items: T[], name: (item: T) => string): T[] {
  const names = new Set(items.map(name));
  if (names.size === items.length) return items;
  return items.filter((item) => names.delete(name(item)));
}
