// The part of a page that is written in words: headings, paragraphs, lists, links and pictures. It is strict: a page with anything
// else in that part is left to the code editor, so that nothing is lost. What is not changed keeps its source, letter by letter.

export type Inline =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'strong' | 'em' | 'code'; readonly inside: readonly Inline[] }
  | { readonly is: 'a'; readonly href: string; readonly inside: readonly Inline[] }
  | { readonly is: 'img'; readonly src: string; readonly alt: string }
  | { readonly is: 'br' };

export type Words = 'h1' | 'h2' | 'h3' | 'p' | 'blockquote';

/** `attributes` are those that a page may give it: its class and id, as they are written. */
export type Block =
  | { readonly is: Words; readonly attributes: string; readonly inside: readonly Inline[] }
  | { readonly is: 'ul' | 'ol'; readonly attributes: string; readonly items: readonly (readonly Inline[])[] }
  | { readonly is: 'hr' }
  | { readonly is: 'comment'; readonly text: string };

/** A block, as it is in the source, after these spaces and lines. */
export interface Written {
  readonly block: Block;
  readonly before: string;
  readonly source: string;
}

/** A page around the part that is written. */
export interface Parts {
  readonly before: string;
  readonly blocks: readonly Written[];
  /** Spaces and lines after the last block. */
  readonly end: string;
  readonly after: string;
}

/** A longer page is not a text that somebody writes; reading it takes longer than a frame. */
const MOST = 200_000;

const WORDS = new Set<string>(['h1', 'h2', 'h3', 'p', 'blockquote']);
const WRAPS = new Set<string>(['strong', 'em', 'code']);

/** The parts of a page, or null where it cannot be written in words. */
export function split(html: string): Parts | null {
  if (html.length > MOST) return null;
  const region = find(html);
  if (!region) return null;
  const inner = html.slice(region.from, region.to);
  const read = parse(inner);
  if (!read || plain(joined(read.blocks.map(({ block }) => ({ block, was: null })), '')) !== plain(inner)) return null;
  return { before: html.slice(0, region.from), blocks: read.blocks, end: read.end, after: html.slice(region.to) };
}

/** A block as it is now, and the one it was; null is a new one. */
export interface Now {
  readonly block: Block;
  readonly was: Written | null;
}

/** The page with other blocks. */
export function join({ before, blocks, end, after }: Parts, now: readonly Now[]): string {
  const first = blocks.find((written) => written.before.includes('\n'));
  const indent = first ? first.before.slice(first.before.lastIndexOf('\n') + 1) : '';
  return before + joined(now, indent) + (blocks.length > 0 || now.length === 0 ? end : '\n') + after;
}

function joined(now: readonly Now[], indent: string): string {
  return now.map(({ block, was }) => (was && same(was.block, block) ? was.before + was.source : `${was?.before || `\n${indent}`}${write(block, indent)}`)).join('');
}

export const same = (a: Block, b: Block): boolean => JSON.stringify(a) === JSON.stringify(b);

function write(block: Block, indent: string): string {
  if (block.is === 'hr') return '<hr>';
  if (block.is === 'comment') return `<!--${block.text}-->`;
  if ('items' in block) {
    const items = block.items.map((item) => `${indent}  <li>${inline(item)}</li>\n`).join('');
    return `<${block.is}${block.attributes}>\n${items}${indent}</${block.is}>`;
  }
  return `<${block.is}${block.attributes}>${inline(block.inside)}</${block.is}>`;
}

const inline = (list: readonly Inline[]): string => list.map(one).join('');

function one(part: Inline): string {
  if (part.is === 'text') return escaped(part.text);
  if (part.is === 'br') return '<br>';
  if (part.is === 'img') return `<img src="${quoted(part.src)}" alt="${quoted(part.alt)}">`;
  if (part.is === 'a') return `<a href="${quoted(part.href)}">${inline(part.inside)}</a>`;
  return `<${part.is}>${inline(part.inside)}</${part.is}>`;
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\u00a0', '&nbsp;');
const quoted = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** The content of the one `<main>`, or of the element marked with `data-write`. */
function find(html: string): { from: number; to: number } | null {
  const bare = html.replace(/<!--[\s\S]*?-->|<(script|style)\b[\s\S]*?<\/\1>/gi, (hidden) => ' '.repeat(hidden.length));
  const marked = [...bare.matchAll(/<(main|article|section|div)\s(?:[^>]*\s)?data-write(?:=""|)(?=[\s>])[^>]*>/g)];
  const mains = [...bare.matchAll(/<(main)(?=[\s>])[^>]*>/g)];
  const opens = marked.length > 0 ? marked : mains;
  const [open] = opens;
  if (opens.length !== 1 || !open) return null;
  const from = open.index + open[0].length;
  const to = bare.indexOf(`</${open[1]}>`, from);
  return to < 0 ? null : { from, to };
}

/** Where two sources say the same: but for spaces between blocks, and where lines are broken. */
const plain = (html: string): string =>
  html
    .replace(/\s+/g, ' ')
    .replace(/ ?\/>/g, '>')
    .replace(/ ?(<\/?(?:h[1-3]|p|ul|ol|li|hr|blockquote)(?:>| [^>]*>)|<!--.*?-->) ?/g, '$1')
    .trim();

function parse(inner: string): { blocks: Written[]; end: string } | null {
  const reader = new Reader(inner);
  const blocks: Written[] = [];
  for (;;) {
    const before = reader.spaces();
    if (reader.ended) return { blocks, end: before };
    const start = reader.at;
    const block = readBlock(reader);
    if (!block) return null;
    blocks.push({ block, before, source: inner.slice(start, reader.at) });
  }
}

interface Tag {
  readonly name: string;
  readonly closes: boolean;
  readonly attributes: string;
}

class Reader {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.at >= this.#text.length;
  }

  /** What matches here, and goes past it. */
  take(pattern: RegExp): RegExpExecArray | null {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.#text);
    if (found) this.at = sticky.lastIndex;
    return found;
  }

  spaces(): string {
    return this.take(/\s*/)?.[0] ?? '';
  }

  tag(): Tag | null {
    const [, slash, name = '', attributes = ''] = this.take(/<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z-]+="[^"<>]*")*)\s*\/?>/) ?? [];
    return name ? { name, closes: slash === '/', attributes } : null;
  }
}

function readBlock(reader: Reader): Block | null {
  const comment = reader.take(/<!--([\s\S]*?)-->/);
  if (comment) return { is: 'comment', text: comment[1] ?? '' };
  const tag = reader.tag();
  if (!tag || tag.closes || !/^(?:\s+(?:class|id)="[^"]*")*$/.test(tag.attributes)) return null;
  if (tag.name === 'hr') return tag.attributes ? null : { is: 'hr' };
  if (tag.name === 'ul' || tag.name === 'ol') {
    const items = readItems(reader, tag.name);
    return items && { is: tag.name, attributes: tag.attributes, items };
  }
  if (!WORDS.has(tag.name)) return null;
  const inside = readInline(reader, tag.name);
  return inside && { is: tag.name as Words, attributes: tag.attributes, inside: trimmed(inside) };
}

function readItems(reader: Reader, list: string): Inline[][] | null {
  const items: Inline[][] = [];
  for (;;) {
    reader.spaces();
    const tag = reader.tag();
    if (tag?.closes && tag.name === list) return items;
    if (!tag || tag.closes || tag.name !== 'li' || tag.attributes) return null;
    const inside = readInline(reader, 'li');
    if (!inside) return null;
    items.push(trimmed(inside));
  }
}

/** Up to the end of an element. */
function readInline(reader: Reader, end: string): Inline[] | null {
  const list: Inline[] = [];
  while (!reader.ended) {
    const text = reader.take(/[^<]+/)?.[0];
    if (text !== undefined) {
      list.push({ is: 'text', text: unescaped(text.replace(/\s+/g, ' ')) });
      continue;
    }
    const tag = reader.tag();
    if (!tag) return null;
    if (tag.closes) return tag.name === end ? list : null;
    const part = readPart(reader, tag);
    if (!part) return null;
    list.push(part);
  }
  return null;
}

function readPart(reader: Reader, { name, attributes }: Tag): Inline | null {
  const given = new Map([...attributes.matchAll(/([a-z-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, unescaped(value)]));
  if (name === 'br') return given.size === 0 ? { is: 'br' } : null;
  if (name === 'img') return [...given.keys()].join() === 'src,alt' ? { is: 'img', src: given.get('src') ?? '', alt: given.get('alt') ?? '' } : null;
  if (name !== 'a' && !WRAPS.has(name)) return null;
  if (name === 'a' ? [...given.keys()].join() !== 'href' : given.size > 0) return null;
  const inside = readInline(reader, name);
  if (!inside) return null;
  return name === 'a' ? { is: 'a', href: given.get('href') ?? '', inside } : { is: name as 'strong' | 'em' | 'code', inside };
}

/** Others stay as they are, and so the page does not come back unchanged. */
const unescaped = (text: string): string => text.replaceAll('&nbsp;', '\u00a0').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');

/** Without the spaces that a page does not show: at both ends. */
export function trimmed(list: readonly Inline[]): Inline[] {
  const ends = list.map((part, at): Inline => {
    if (part.is !== 'text') return part;
    let { text } = part;
    if (at === 0) text = text.replace(/^ +/, '');
    if (at === list.length - 1) text = text.replace(/ +$/, '');
    return { is: 'text', text };
  });
  return ends.filter((part) => part.is !== 'text' || part.text !== '');
}
