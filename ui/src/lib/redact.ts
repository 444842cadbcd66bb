// Makes a log safe to share: people and addresses are replaced with numbers, the same one for the same thing.

/** Someone the log may mention, under any of their names. */
export interface Person {
  readonly id: string;
  readonly names: readonly string[];
}

/** Shorter names are too often words of the log itself. */
const MIN_NAME_CHARS = 3;

const PATTERNS: readonly (readonly [string, string])[] = [
  ['host', String.raw`(?<=https?://)[^\s/:"'<>\[\]]+|(?<=/dns(?:4|6|addr)?/)[^\s/"']+`],
  ['peer', String.raw`\b(?:12D3Koo[1-9A-HJ-NP-Za-km-z]{40,50}|16Uiu2HA[1-9A-HJ-NP-Za-km-z]{40,50}|Qm[1-9A-HJ-NP-Za-km-z]{44}|k[0-9a-z]{50,62})\b`],
  ['mail', String.raw`\b[\w.+\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+`],
  ['user', String.raw`(?<=/home/|/Users/|\\Users\\)[^\s/\\"']+`],
  ['address', String.raw`\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])`],
];

/** Everyone has these: they identify nobody. */
const COMMON = new Set(['127.0.0.1', '0.0.0.0', '::1', '::', 'localhost']);

export function redact(text: string, people: readonly Person[]): string {
  const aliases = new Map<string, string>();
  const counts: Record<string, number> = {};
  const next = (kind: string): string => `<${kind} ${(counts[kind] = (counts[kind] ?? 0) + 1)}>`;
  const alias = (kind: string, found: string): string => {
    if (COMMON.has(found) || (found.includes(':') && !isAddress(found))) return found;
    const known = aliases.get(found) ?? next(kind);
    aliases.set(found, known);
    return known;
  };
  // Only names that occur: a pattern of thousands would be tried at every letter.
  for (const { id, names } of people) {
    const called = [id, ...names].filter((name) => name.length >= MIN_NAME_CHARS && !aliases.has(name) && text.includes(name));
    if (called.length === 0) continue;
    const label = next('peer');
    for (const name of called) aliases.set(name, label);
  }
  const named = [...aliases.keys()].sort((a, b) => b.length - a.length).map((name) => `(?<![\\p{L}\\p{N}])${quoted(name)}(?![\\p{L}\\p{N}])`);
  const patterns = [...named.map((pattern) => ['peer', pattern] as const), ...PATTERNS];
  const all = new RegExp(patterns.map(([, pattern]) => `(${pattern})`).join('|'), 'gu');
  return text.replace(all, (found, ...groups: (string | undefined)[]) => alias(patterns[groups.findIndex((group) => group !== undefined)]?.[0] ?? 'name', found));
}

/** Has colons but is not a time of day. */
const isAddress = (text: string): boolean => text.includes('::') || text.split(':').length === 8;

const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
