// The files of a site as the rows of a tree: those in open folders only.

import type { SiteEntry } from '../api/types/SiteEntry';
import { distinct } from './keyed';
import { nameOf, parentOf } from './paths';

export interface Row {
  readonly entry: SiteEntry;
  readonly name: string;
  /** From 1, as screen readers count. */
  readonly level: number;
  /** Of a folder: whether it is open; null of a file. */
  readonly open: boolean | null;
  /** Among those in the same folder, from 1, and how many they are. */
  readonly position: number;
  readonly siblings: number;
}

/** What is in each folder, in the order of the tree; '' is the top. */
export type Folders = ReadonlyMap<string, readonly SiteEntry[]>;

const ORDER = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** The front page, folders, files, and last what is not published. */
const rank = (entry: SiteEntry): number => (entry.front ? 0 : entry.unserved !== null ? 3 : entry.folder ? 1 : 2);

export function folders(entries: readonly SiteEntry[]): Folders {
  const all = new Map<string, SiteEntry[]>();
  for (const entry of distinct([...entries], ({ path }) => path)) {
    const parent = parentOf(entry.path);
    const there = all.get(parent);
    if (there) there.push(entry);
    else all.set(parent, [entry]);
  }
  for (const there of all.values()) there.sort((a, b) => rank(a) - rank(b) || ORDER.compare(nameOf(a.path), nameOf(b.path)));
  return all;
}

export function rows(all: Folders, open: ReadonlySet<string>): Row[] {
  const list: Row[] = [];
  const add = (folder: string, level: number): void => {
    const there = all.get(folder) ?? [];
    there.forEach((entry, at) => {
      const opened = entry.folder ? open.has(entry.path) : null;
      list.push({ entry, name: nameOf(entry.path), level, open: opened, position: at + 1, siblings: there.length });
      if (opened) add(entry.path, level + 1);
    });
  };
  add('', 1);
  return list;
}

/** The folder that something new goes to: the one that is chosen, or the one around the file that is. */
export const targetFolder = (entry: SiteEntry | undefined): string => (entry === undefined ? '' : entry.folder ? entry.path : parentOf(entry.path));
