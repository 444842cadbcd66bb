// What the pages of the history are called, by their documents.

import type { Place } from '../api/types/Place';
import { tidy } from '../lib/address';

export type Titles = Readonly<Record<string, string>>;

/** As many as a history has entries; the least recently opened is forgotten first. */
const MAX_TITLES = 200;

const key = ({ peer, path }: Place): string => peer + (tidy(path).split('#', 1)[0] ?? '');

export const titleOf = (titles: Titles, place: Place): string | undefined => titles[key(place)];

export function titlesWith(titles: Titles, place: Place, title: string): Titles {
  const { [key(place)]: _, ...others } = titles;
  return Object.fromEntries([...Object.entries(others), [key(place), title]].slice(-MAX_TITLES));
}

/** Those that the tab kept. */
export function titlesOf(kept: unknown): Titles {
  const { titles } = (typeof kept === 'object' && kept !== null ? kept : {}) as { titles?: unknown };
  if (typeof titles !== 'object' || titles === null) return {};
  const sound = Object.entries(titles).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(sound.slice(-MAX_TITLES));
}
