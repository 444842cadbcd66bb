import { describe, expect, it } from 'vitest';
import type { SiteEntry } from '../src/api';
import { compared } from '../src/lib/compare';
import { newPage } from '../src/lib/page';
import { fileName, isText, kindOf, nameMistake, outermost, parentOf, urlPath, within } from '../src/lib/paths';
import { folders, rows, targetFolder } from '../src/lib/tree';
import { FileTree } from '../src/state/tree.svelte';

const entry = (path: string, more: Partial<SiteEntry> = {}): SiteEntry => ({ path, folder: false, size: 1, modified: 0, files: 0, front: false, unserved: null, ...more });
const ENTRIES = [
  entry('style.css'),
  entry('.env', { unserved: 'hidden file' }),
  entry('photos', { folder: true, files: 3 }),
  entry('photos/lake 10.jpg'),
  entry('photos/lake 9.jpg'),
  entry('photos/old', { folder: true, files: 1 }),
  entry('photos/old/lake.jpg'),
  entry('index.html', { front: true }),
];
const shown = (tree: FileTree): string[] => tree.rows.map((row) => row.entry.path);

describe('paths', () => {
  it('have names and folders', () => {
    expect(parentOf('a/b/c')).toBe('a/b');
    expect(parentOf('a')).toBe('');
    expect(within('a/b', 'a')).toBe(true);
    expect(within('ab', 'a')).toBe(false);
    expect(outermost(['a', 'a/b', 'c/d', 'ab'])).toEqual(['a', 'c/d', 'ab']);
    expect(urlPath('photos/a b#1?.html')).toBe('/photos/a%20b%231%3F.html');
  });

  it.each([
    ['About me', 'about-me.html'],
    ['  Über Möwen & Reiher! ', 'uber-mowen-reiher.html'],
    ['日本', '日本.html'],
    ['…', ''],
  ])('a page called %j is in %j', (title, name) => expect(fileName(title)).toBe(name));

  it.each(['', ' ', 'a/b', 'a\\b', '..', 'a.', 'a:b', 'a\u0000b', 'x'.repeat(256), 'ü'.repeat(128)])('%j is refused as a name', (name) => expect(nameMistake(name)).not.toBe(''));
  it.each(['index.html', '.htaccess', 'ملاحظات.html', 'a b (1).jpg'])('%j is fine as a name', (name) => expect(nameMistake(name)).toBe(''));

  it('say what is a text', () => {
    expect(['a.html', 'a.CSS', '_redirects', 'README'].every(isText)).toBe(true);
    expect(['a.jpg', 'a', 'html', 'a.html.gz'].some(isText)).toBe(false);
    expect(kindOf('a.jpg', false)).toBe('picture');
    expect(kindOf('a.jpg', true)).toBe('folder');
  });
});

it('a new page has its title as text, not as source', () => {
  const page = newPage('<b> & co', '../style.css');
  expect(page).toContain('<title>&lt;b&gt; &amp; co</title>');
  expect(page).toContain('href="../style.css"');
  expect(newPage('x', null)).not.toContain('stylesheet');
});

describe('the tree', () => {
  it('shows the front page first, then folders, files, and what is not published, by number', () => {
    const tree = rows(folders(ENTRIES), new Set(['photos']));
    expect(tree.map(({ entry, level }) => [level, entry.path])).toEqual([
      [1, 'index.html'],
      [1, 'photos'],
      [2, 'photos/old'],
      [2, 'photos/lake 9.jpg'],
      [2, 'photos/lake 10.jpg'],
      [1, 'style.css'],
      [1, '.env'],
    ]);
    expect(tree[1]).toMatchObject({ open: true, position: 2, siblings: 4 });
    expect(tree[2]).toMatchObject({ open: false, position: 1, siblings: 3 });
  });

  it('shows what is listed twice once', () => expect(rows(folders([...ENTRIES, ...ENTRIES]), new Set())).toHaveLength(4));

  it('is walked with the arrows', () => {
    const tree = new FileTree(() => ENTRIES);
    tree.go(1, 'only');
    tree.right();
    expect(shown(tree)).toContain('photos/old');
    tree.right();
    expect(tree.focused).toBe('photos/old');
    tree.left();
    expect(tree.focused).toBe('photos');
    tree.left();
    expect(shown(tree)).toHaveLength(4);
    tree.find('s');
    expect(tree.selected).toEqual(['style.css']);
    tree.go(99, 'only');
    expect(tree.focused).toBe('.env');
  });

  it('selects one, some, and all in between', () => {
    const tree = new FileTree(() => ENTRIES);
    tree.choose('photos');
    tree.choose('.env', 'range');
    expect(tree.selected).toEqual(['photos', 'style.css', '.env']);
    tree.choose('style.css', 'toggle');
    expect(tree.selected).toEqual(['photos', '.env']);
    tree.chooseAll();
    expect(tree.chosen).toHaveLength(4);
  });

  it('goes on after what was deleted', () => {
    const tree = new FileTree(() => ENTRIES);
    expect(tree.after(['photos'])).toBe('style.css');
    expect(tree.after(['.env'])).toBe('style.css');
    expect(tree.after(['index.html', 'photos', 'style.css', '.env'])).toBeNull();
  });

  it('opens the folders around what is shown, and knows where new things go', () => {
    const tree = new FileTree(() => ENTRIES);
    expect(tree.target).toBe('');
    tree.reveal('photos/old/lake.jpg');
    expect(shown(tree)).toContain('photos/old/lake.jpg');
    expect(tree.target).toBe('photos/old');
    expect(targetFolder(ENTRIES[2])).toBe('photos');
  });
});

describe('two versions', () => {
  const differing = (mine: string, theirs: string): string[][] => {
    const both = compared(mine, theirs);
    return [both.mine, both.theirs].map((lines) => lines.filter(({ differs }) => differs).map(({ text }) => text));
  };

  it('differ in lines that the other one has not', () => {
    expect(differing('a\nb\nc', 'a\nb\nc')).toEqual([[], []]);
    expect(differing('a\nb\nc', 'a\nx\nc')).toEqual([['b'], ['x']]);
    expect(differing('a\nb\nc\nd', 'b\nc\ne\nd')).toEqual([['a'], ['e']]);
    expect(differing('', 'a')).toEqual([[''], ['a']]);
    expect(differing('a\na\nb', 'a\nb')).toEqual([['a'], []]);
  });

  it('that are long are compared as a whole', () => {
    const long = (word: string): string => Array.from({ length: 4000 }, (_, i) => `${word} ${i}`).join('\n');
    expect(differing(`same\n${long('a')}\nend`, `same\n${long('b')}\nend`)[0]).toHaveLength(4000);
  });
});
