// Announces events to screen readers. One polite region for the whole window.

class Announcer {
  text = $state('');

  say(text: string): void {
    // The same text twice is announced only if it changed in between.
    this.text = '';
    queueMicrotask(() => (this.text = text));
  }
}

export const announcer = new Announcer();
