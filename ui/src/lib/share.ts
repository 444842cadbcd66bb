import type { Place } from '../api/types/Place';
import type { Rendezvous } from '../api/types/Rendezvous';
import { tidy } from './address';
import { siteLabel } from './id';

/**
 * The link to a place that people pass on: `goop://k51…/<path>`, with the id in base36. Programs that take a link for a web
 * address make its host lower case, and of a base58 id nothing would be left.
 */
export const shared = ({ peer, path }: Place): string => `goop://${siteLabel(peer) ?? peer}${tidy(path)}`;

/** Who can see this peer, in a sentence: everybody on its network, and in the servers it joined. */
export function audience({ joined, hosting }: Rendezvous): string {
  const names = joined.filter(({ state }) => state === 'connected').map(({ name }) => name);
  if (hosting.state === 'on') names.push('the rendezvous on this computer');
  if (names.length === 0) return 'It is visible to everyone on this network. Join a rendezvous to reach people beyond it.';
  return `It is visible to everyone on this network, and to people in ${new Intl.ListFormat('en').format(names)}.`;
}
