// Reads an event stream as the browser's EventSource does (HTML, "Server-sent events"), of an answer to `fetch`: EventSource can
// send no header.

/** Calls back for each event until the stream ends. */
export async function readEvents(body: ReadableStream<Uint8Array>, receive: (name: string, data: string) => void): Promise<void> {
  const reader = body.getReader();
  const parser = new EventParser(receive);
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.push(decoder.decode(value, { stream: true }));
  }
}

export class EventParser {
  #receive: (name: string, data: string) => void;
  /** A line that is not complete, in pieces: a snapshot is a single line, and comes in many. */
  #pieces: string[] = [];
  #name = '';
  #data: string[] = [];

  constructor(receive: (name: string, data: string) => void) {
    this.#receive = receive;
  }

  push(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#pieces.push(text.slice(start, end));
      this.#line(this.#pieces.join(''));
      this.#pieces = [];
      start = end + 1;
    }
    if (start < text.length) this.#pieces.push(text.slice(start));
  }

  #line(line: string): void {
    if (line.endsWith('\r')) line = line.slice(0, -1);
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
  }

  #dispatch(): void {
    if (this.#data.length > 0) this.#receive(this.#name || 'message', this.#data.join('\n'));
    this.#name = '';
    this.#data = [];
  }
}
