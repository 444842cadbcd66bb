// An address that a field was given and that leads to no site: the user chooses what to do with it.

import { Refusal } from '../api';

export class Outside extends Refusal {
  /** What was typed, for a rendezvous; it may have no scheme. */
  readonly text: string;
  /** For a browser; null where only a rendezvous can be meant. */
  readonly url: string | null;

  constructor(text: string, url: string | null) {
    super({ code: 'outside', message: url === null ? 'This link is an invitation to a rendezvous.' : 'This is not the address of a Goop2 site.' });
    this.text = text;
    this.url = url;
  }
}

/** Anything thrown while an address was opened, to be shown with {@link Outside}'s choices where it has them. */
export const failed = (thrown: unknown): Refusal => Refusal.from(thrown, 'That didn’t work. Try again.');
