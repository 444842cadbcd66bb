// Who may do what with a table, in plain words.

import type { Policy } from '../api';

export const POLICIES: Record<Policy, string> = {
  owner: 'Everybody reads; only you write',
  public: 'Everybody reads; visitors add, and change their own',
  open: 'Visitors add, and see only their own',
  email: 'Visitors with an email address add, and see only their own',
};

/** What each is good for. */
export const EXAMPLES: Record<Policy, string> = {
  owner: 'For posts, prices, dates.',
  public: 'For a guestbook or comments.',
  open: 'For a survey or orders: only you see everything.',
  email: 'As the one above, when you want to be able to answer.',
};

const readable = (policy: string): boolean => policy === 'owner' || policy === 'public';
export const isPolicy = (policy: string): policy is Policy => policy in POLICIES;

export function inWords(policy: string, restricted: boolean): string {
  const words = isPolicy(policy) ? POLICIES[policy] : 'Visitors see only their own, and add nothing';
  return restricted ? `${words}. The program that made this table lets visitors do less` : words;
}

/** What changes when a policy is replaced by another, before it happens. */
export function consequences(from: string, to: Policy, rows: number): string[] {
  if (from === to) return [];
  const all = rows === 1 ? 'The row in it' : `The ${rows.toLocaleString()} rows in it`;
  const found: string[] = [];
  if (readable(to) && !readable(from)) found.push(rows === 0 ? 'What is added can be read by everybody who visits your site.' : `${all} can be read by everybody who visits your site.`);
  if (readable(from) && !readable(to)) found.push('Visitors no longer see what others wrote.');
  if (to === 'owner') found.push('Visitors can’t add anything anymore. They can still change and remove what they wrote.');
  else if (to === 'email') found.push('Visitors without an email address can’t add anything.');
  else if (from === 'owner' || from === 'email' || !isPolicy(from)) found.push('Every visitor can add rows.');
  return found;
}

/** As a sentence about visitors, on the page that shows what they see. */
const MAY: Record<string, string> = {
  owner: 'Read it. Only you add, change or delete.',
  public: 'Read it, and add to it. They change and delete what they added.',
  open: 'Add to it, and read, change and delete what they added. Only you read all of it.',
  email: 'Add to it with an email address in their profile, and read, change and delete what they added. Only you read all of it.',
};

/** A policy of another version lets visitors only read their own rows. */
export const mayDo = (policy: string): string => MAY[policy] ?? 'Read what they added.';
