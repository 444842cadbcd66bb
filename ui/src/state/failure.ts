// Failures in words.

import { Refusal } from '../api';
import { nameOf } from '../lib/paths';

/** What to show for anything thrown by the api. */
export const words = (thrown: unknown): string => Refusal.from(thrown, 'That didn’t work. Try again.').message;

/** What to show where a name was chosen: a name that is taken fails with nothing but that name. */
export const nameWords = (thrown: unknown): string =>
  thrown instanceof Refusal && thrown.code === 'exists' ? `There’s already something called ${nameOf(thrown.message)} there.` : words(thrown);
