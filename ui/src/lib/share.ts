import type { Place } from '../api/types/Place';
import { tidy } from './address';
import { siteLabel } from './id';

/**
 * The link to a place that people pass on: `goop://k51…/<path>`, with the id in base36. Programs that take a link for a web
 * address make its host lower case, and of a base58 id nothing would be left.
 */
export const shared = ({ peer, path }: Place): string => `goop://${siteLabel(peer) ?? peer}${tidy(path)}`;
