// What happened, said to those who cannot see it. One polite region for the whole window.

class Announcer {
  text = $state('');

  say(text: string): void {
    // The same words twice are a change only if something stood between.
    this.text = '';
    queueMicrotask(() => (this.text = text));
  }
}

export const announcer = new Announcer();
