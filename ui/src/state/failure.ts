// Failures in words.

import { Refusal } from '../api';

/** What to show for anything thrown by the api. */
export const words = (thrown: unknown): string => Refusal.from(thrown, 'That didn’t work. Try again.').message;
