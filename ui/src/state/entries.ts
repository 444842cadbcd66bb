// Notifies of what visitors write into tables, where the user wants that.

import type { Api, Stop, TableInfo } from '../api';

/** How often the peer is asked. It answers from memory when nothing has changed. */
const LOOK_MS = 10_000;

/** Until stopped. */
export function watchEntries({ tables, notify }: Pick<Api, 'tables' | 'notify'>): Stop {
  let known: readonly TableInfo[] | null = null;
  const look = async (): Promise<void> => {
    const all = await tables.all();
    const text = known && entries(known, all);
    known = all;
    if (text) await notify('Someone wrote on your site', text);
  };
  const again = (): void => void look().catch(() => {});
  again();
  const timer = setInterval(again, LOOK_MS);
  return () => clearInterval(timer);
}

/** What is new in which tables since the last look; empty if nothing is. */
export function entries(before: readonly TableInfo[], now: readonly TableInfo[]): string {
  const parts = now.flatMap(({ name, fresh }) => {
    const more = fresh - (before.find((table) => table.name === name)?.fresh ?? 0);
    return more > 0 ? [`${more === 1 ? '1 new entry' : `${more} new entries`} in ${name}`] : [];
  });
  return parts.join(', ');
}
