// The blocks of a page as elements that can be edited, and back. Nothing of the page becomes an element but what is named here: no
// script, style or address of it is ever in this window.

import { trimmed, type Block, type Inline, type Now, type Words, type Written } from './source';

/** The number of the block that an element was made of. */
const NUMBER = 'data-block';
const WORDS: Record<string, Words> = { H1: 'h1', H2: 'h2', H3: 'h3', H4: 'h3', H5: 'h3', H6: 'h3', P: 'p', DIV: 'p', BLOCKQUOTE: 'blockquote' };
const WRAPS: Record<string, 'strong' | 'em' | 'code'> = { B: 'strong', STRONG: 'strong', I: 'em', EM: 'em', CODE: 'code' };

/** Addresses of pictures that were just dropped, as this window can show them. */
export type Shown = ReadonlyMap<string, string>;

export function build(blocks: readonly Written[], shown: Shown): DocumentFragment {
  const fragment = document.createDocumentFragment();
  blocks.forEach(({ block }, number) => {
    const element = ofBlock(block, shown);
    element.setAttribute(NUMBER, String(number));
    fragment.append(element);
  });
  return fragment;
}

function ofBlock(block: Block, shown: Shown): HTMLElement {
  if (block.is === 'comment') {
    // It stays where it is, and is not seen.
    const kept = document.createElement('div');
    kept.hidden = true;
    kept.contentEditable = 'false';
    return kept;
  }
  const element = document.createElement(block.is);
  if ('items' in block) element.append(...block.items.map((item) => fill(document.createElement('li'), item, shown)));
  else if (block.is !== 'hr') fill(element, block.inside, shown);
  return element;
}

function fill(element: HTMLElement, parts: readonly Inline[], shown: Shown): HTMLElement {
  if (parts.length === 0) element.append(document.createElement('br'));
  for (const part of parts) element.append(ofInline(part, shown));
  return element;
}

function ofInline(part: Inline, shown: Shown): Node {
  if (part.is === 'text') return document.createTextNode(part.text);
  if (part.is === 'br') return document.createElement('br');
  if (part.is === 'img') return picture(part.src, part.alt, shown.get(part.src));
  const element = document.createElement(part.is);
  // Not as its address: a click in here leads nowhere.
  if (part.is === 'a') element.dataset.href = part.href;
  for (const inside of part.inside) element.append(ofInline(inside, shown));
  return element;
}

/** A picture, or a frame with its name where this window may not load it. */
export function picture(src: string, alt: string, url: string | undefined): HTMLElement {
  const image = document.createElement(url === undefined ? 'span' : 'img');
  image.dataset.src = src;
  image.dataset.alt = alt;
  image.contentEditable = 'false';
  if (image instanceof HTMLImageElement) Object.assign(image, { src: url, alt });
  else image.textContent = src.slice(src.lastIndexOf('/') + 1);
  return image;
}

/** The blocks as they are now. */
export function read(root: HTMLElement, before: readonly Written[]): Now[] {
  const now: Now[] = [];
  const seen = new Set<string>();
  for (const node of root.childNodes) {
    const number = node instanceof HTMLElement ? node.getAttribute(NUMBER) : null;
    // Of a block that was split, the first half is the old one.
    const was = number === null || seen.has(number) ? null : (before[Number(number)] ?? null);
    if (number !== null) seen.add(number);
    const block = node instanceof HTMLElement && node.hidden ? (was?.block ?? null) : toBlock(node, attributesOf(was));
    if (block) now.push({ block, was });
  }
  return now;
}

const attributesOf = (was: Written | null): string => (was && 'attributes' in was.block ? was.block.attributes : '');

function toBlock(node: Node, attributes: string): Block | null {
  if (node instanceof Text) return node.data.trim() ? { is: 'p', attributes: '', inside: trimmed([{ is: 'text', text: node.data }]) } : null;
  if (!(node instanceof HTMLElement)) return null;
  if (node.tagName === 'HR') return { is: 'hr' };
  if (node.tagName === 'UL' || node.tagName === 'OL') {
    const items = [...node.querySelectorAll('li')].map((item) => lineOf(item)).filter((item) => item.length > 0);
    return items.length === 0 ? null : { is: node.tagName === 'UL' ? 'ul' : 'ol', attributes, items };
  }
  const words = WORDS[node.tagName];
  const inside = words ? lineOf(node) : trimmed(toInline(node));
  return inside.length === 0 ? null : { is: words ?? 'p', attributes, inside };
}

/** What is in a block; browsers put a line break at its end. */
function lineOf(element: HTMLElement): Inline[] {
  const parts = joined([...element.childNodes].flatMap(toInline));
  if (parts.at(-1)?.is === 'br') parts.pop();
  return trimmed(parts);
}

function toInline(node: Node): Inline[] {
  if (node instanceof Text) return node.data === '' ? [] : [{ is: 'text', text: node.data.replace(/[ \t\n\r]+/g, ' ') }];
  if (!(node instanceof HTMLElement)) return [];
  if (node.dataset.src !== undefined) return [{ is: 'img', src: node.dataset.src, alt: node.dataset.alt ?? '' }];
  if (node.tagName === 'BR') return [{ is: 'br' }];
  // A list in a list is read with its own items.
  if (node.tagName === 'UL' || node.tagName === 'OL') return [];
  const inside = joined([...node.childNodes].flatMap(toInline));
  if (inside.length === 0) return [];
  if (node.tagName === 'A') return [{ is: 'a', href: node.dataset.href ?? node.getAttribute('href') ?? '', inside }];
  const wrap = WRAPS[node.tagName];
  return wrap ? [{ is: wrap, inside }] : inside;
}

/** Neighboring texts are one. */
function joined(parts: readonly Inline[]): Inline[] {
  const list: Inline[] = [];
  for (const part of parts) {
    const last = list.at(-1);
    if (part.is === 'text' && last?.is === 'text') list[list.length - 1] = { is: 'text', text: (last.text + part.text).replace(/ +/g, ' ') };
    else list.push(part);
  }
  return list;
}
