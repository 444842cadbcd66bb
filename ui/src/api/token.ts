// The token that signs this tab in. It comes in the opened address, stays in the tab's own storage, and is sent in a header: a
// cookie would be sent to every other server on this computer, because cookies ignore ports. Tabs of the same origin, which are
// the user's own, give it to each other.

const KEY = 'goop2.token';
const CHANNEL = 'goop2.token';

/** How long other tabs may take to answer. Those in the background are slowed down, but not by that much. */
const ANSWER_MS = 500;

type Message = { readonly ask: true } | { readonly token: string };

export class Token {
  #value: string | null;
  /** One that was refused is not taken again. */
  #refused: string | null = null;
  #channel = 'BroadcastChannel' in window ? new BroadcastChannel(CHANNEL) : null;
  #arrived: (() => void) | null = null;
  #waiting: Promise<void> | null = null;

  constructor() {
    const given = takeFromAddress();
    this.#value = given ?? read();
    if (this.#channel) this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => this.#heard(data as Message);
    if (given === null) return;
    write(given);
    this.#say({ token: given });
  }

  /** What to send; null if neither this tab nor another has it. */
  async value(): Promise<string | null> {
    if (this.#value === null) await (this.#waiting ??= this.#ask());
    return this.#value;
  }

  /** The viewer does not accept this one: it is of an earlier run. */
  refuse(token: string | null): void {
    if (token === null || token !== this.#value) return;
    this.#refused = token;
    this.#value = null;
    write(null);
  }

  /** Calls back when another tab was given a token that this one lacks. */
  onArrival(callback: () => void): void {
    this.#arrived = callback;
  }

  async #ask(): Promise<void> {
    if (!this.#channel) return;
    this.#say({ ask: true });
    const end = Date.now() + ANSWER_MS;
    while (this.#value === null && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    this.#waiting = null;
  }

  #heard(message: Message): void {
    if ('ask' in message) {
      if (this.#value !== null) this.#say({ token: this.#value });
    } else if (this.#value === null && message.token !== this.#refused) {
      this.#value = message.token;
      write(message.token);
      if (!this.#waiting) this.#arrived?.();
    }
  }

  #say(message: Message): void {
    this.#channel?.postMessage(message);
  }
}

/** Reads the token in the address, and takes it out there: an address is copied, and kept in the history. */
function takeFromAddress(): string | null {
  const query = new URLSearchParams(location.search);
  const token = query.get('token');
  if (token === null) return null;
  query.delete('token');
  const rest = query.toString();
  history.replaceState(history.state, '', `${location.pathname}${rest && `?${rest}`}${location.hash}`);
  return token;
}

function read(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function write(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    /* a reload asks other tabs, or for the link */
  }
}
