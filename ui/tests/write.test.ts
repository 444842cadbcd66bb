import { describe, expect, it } from 'vitest';
import { newPage } from '../src/lib/page';
import { join, split, type Block, type Inline, type Now } from '../src/lib/write/source';

const page = (main: string): string => `<!doctype html>\n<html>\n<body>\n  <main>${main}</main>\n</body>\n</html>\n`;
const text = (words: string): Inline => ({ is: 'text', text: words });
const p = (...inside: Inline[]): Block => ({ is: 'p', attributes: '', inside });

const PAGE = page(`
    <!-- A title and a paragraph. -->
    <h1>Field notes</h1>
    <p class="lead">Most mornings I walk
      around the marsh &amp; <strong>write</strong> it down.</p>

    <ul>
      <li><a href="autumn.html">Autumn</a></li>
      <li>Winter</li>
    </ul>
    <p><img src="a.jpg" alt="A &quot;heron&quot;"><br>Here</p>
    <hr>
  `);

/** The page with some blocks changed. */
function changed(html: string, change: (now: Now[]) => Now[]): string {
  const parts = split(html);
  if (!parts) throw new Error('not written in words');
  return join(parts, change(parts.blocks.map((was) => ({ block: was.block, was }))));
}

const same = (now: Now[]): Now[] => now;

describe('a page in words', () => {
  it.each([PAGE, newPage('About me', 'style.css'), page('<p>On one line</p>'), page('\n  <h2>Only a heading</h2>\n'), page('')])('comes back as it was', (html) => expect(changed(html, same)).toBe(html));

  it('keeps the source of what was not changed', () => {
    const html = changed(PAGE, (now) => now.map(({ block, was }) => (block.is === 'h1' ? { block: { ...block, inside: [text('Notes <1>')] }, was } : { block, was })));
    expect(html).toBe(PAGE.replace('<h1>Field notes</h1>', '<h1>Notes &lt;1&gt;</h1>'));
  });

  it('writes what is new on a line each, indented like the rest', () => {
    const html = changed(PAGE, (now) => [...now.slice(0, 3), { block: p(text('New')), was: null }, { block: { is: 'ol', attributes: '', items: [[text('One')], [{ is: 'em', inside: [text('Two')] }]] }, was: null }, ...now.slice(3)]);
    expect(html).toContain('down.</p>\n    <p>New</p>\n    <ol>\n      <li>One</li>\n      <li><em>Two</em></li>\n    </ol>\n\n    <ul>');
    expect(split(html)?.blocks).toHaveLength(8);
  });

  it('leaves out what was deleted, and its lines', () => {
    const html = changed(PAGE, (now) => now.filter(({ block }) => block.is !== 'ul'));
    expect(html).not.toContain('Autumn');
    expect(html).toContain('down.</p>\n    <p><img');
  });

  it('fills an empty one', () => {
    const html = changed(page(''), () => [{ block: p(text('First')), was: null }]);
    expect(html).toContain('<main>\n<p>First</p>\n</main>');
  });

  it('escapes addresses and words', () => {
    const html = changed(page('<p>x</p>'), () => [{ block: p({ is: 'a', href: 'a"b&c<d', inside: [text('<script>')] }, text('\u00a0')), was: null }]);
    expect(html).toContain('<p><a href="a&quot;b&amp;c&lt;d">&lt;script&gt;</a>&nbsp;</p>');
    expect(changed(html, same)).toBe(html);
  });

  it('is what is marked, where something is', () => {
    const html = page('<section data-write><p>Mine</p></section><form></form>');
    expect(split(html)?.blocks).toHaveLength(1);
    expect(split(html.replace('section data-write', 'section'))).toBeNull();
  });
});

it.each([
  '<p>One</p><script>alert(1)</script>',
  '<p style="color: red">x</p>',
  '<p onclick="x()">x</p>',
  '<p>one <span>two</span></p>',
  '<p>one',
  '<p>one</ul>',
  '<ul><li>one<ul><li>two</li></ul></li></ul>',
  '<table></table>',
  'Words without a paragraph',
  '<p><a href="x" target="_blank">x</a></p>',
  '<p><img src="x"></p>',
  '<p>caf&eacute;</p>',
  '<p>AT&T</p>',
  '<P>x</P>',
  '<p>one</p></main><main><p>two</p>',
  '<p><!-- inside -->x</p>',
])('%j is left to the code editor', (main) => expect(split(page(main))).toBeNull());

it.each(['', 'words', '<main>', '<!-- <main></main> -->', '<script>"<main></main>"</script>'])('%j has no part to write', (html) => expect(split(html)).toBeNull());

it('takes long and hostile pages in no time', () => {
  const started = performance.now();
  split(page('<p>'.repeat(20_000)));
  split(page(`<p ${'a="b" '.repeat(20_000)}`));
  split(`<main ${' '.repeat(50_000)}`);
  split(page('<!--'.repeat(20_000)));
  expect(performance.now() - started).toBeLessThan(5000);
});
