// What was just done, and Undo. One at a time: a newer one replaces the older.

export interface Toast {
  readonly text: string;
  readonly undo?: () => void;
}

/** Long enough to read it, think, and reach the button. */
const SHOWN_MS = 8000;

export class Toasts {
  current = $state.raw<Toast | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  show(text: string, undo?: () => void): void {
    this.current = undo ? { text, undo } : { text };
    this.resume();
  }

  /** It stays while the pointer or the focus is on it. */
  hold(): void {
    clearTimeout(this.#timer);
  }

  resume(): void {
    this.hold();
    if (this.current) this.#timer = setTimeout(() => this.close(), SHOWN_MS);
  }

  close(): void {
    this.hold();
    this.current = null;
  }

  undo(): void {
    const undo = this.current?.undo;
    this.close();
    undo?.();
  }
}
