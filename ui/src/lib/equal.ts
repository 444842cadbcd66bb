/** Deep equality of JSON values. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  // No lists of keys: building them would be most of the work.
  let more = 0;
  for (const key in left) {
    if (!equal(left[key], right[key])) return false;
    more++;
  }
  for (const _ in right) more--;
  return more === 0;
}
