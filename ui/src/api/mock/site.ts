// The mock peer's site: an invented folder, in memory. `?scenario=` chooses one; any other is the small site of `normal`.

import { Refusal, type Added, type Backup, type BrokenLink, type Clash, type Incoming, type IncomingFile, type Plan, type Progress, type SiteApi, type SiteEntry, type SiteFiles, type SiteText, type Template, type Undo } from '..';
import { STARTERS } from './starters';

const MINUTE = 60_000;
const OWN = '/home/mira/.local/share/goop2/peers/mira-s-corner/site';
/** Bytes per step of an upload, and how long a step takes. */
const STEP = 400_000;
const STEP_MS = 60;

interface MockFile {
  /** Null where it isn’t a text. */
  text: string | null;
  size: number;
  modified: number;
}

type Tree = Map<string, MockFile>;

const FRONT = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Field notes</title>
    <link rel="stylesheet" href="style.css">
  </head>
  <body>
    <main>
      <h1>Field notes</h1>
      <p>Most mornings I walk around the marsh, and in the <strong>evening</strong> I write down what was there.</p>
      <ul>
        <li><a href="autumn.html">Autumn</a></li>
        <li><a href="winter.html">Winter</a></li>
      </ul>
    </main>
  </body>
</html>
`;

const STYLE = `body {
  font: 18px/1.6 Georgia, serif;
  max-width: 38em;
  margin: 3em auto;
  background: linear-gradient(#f3e2bf, #ccd9bd) fixed;
}
`;

const text = (content: string, past: number): MockFile => ({ text: content, size: new Blob([content]).size, modified: Date.now() - past });
const data = (size: number, past: number): MockFile => ({ text: null, size, modified: Date.now() - past });

function small(): Tree {
  const files: [string, MockFile][] = [
    ['index.html', text(FRONT, 0)],
    ['style.css', text(STYLE, 3 * MINUTE)],
    ['autumn.html', text(FRONT.replaceAll('Field notes', 'Autumn'), 26 * 60 * MINUTE)],
    ['_redirects', text('/old.html /autumn.html 301\n/news https://example.org/ 399\n', 60 * MINUTE)],
    ['notes.md', text('# Notes\n\nWhat I saw.\n', 60 * MINUTE)],
    ['.env', text('SECRET=1\n', 90 * MINUTE)],
    ['photos/heron.mp4', data(212_000_000, 90 * MINUTE)],
  ];
  for (let i = 1; i <= 47; i++) files.push([`photos/lake ${i}.jpg`, data(1_000_000 + i * 52_000, i * 60 * MINUTE)]);
  return new Map(files);
}

function big(): Tree {
  const files: [string, MockFile][] = [['index.html', text(FRONT, 0)]];
  for (let i = 0; i < 2400; i++) files.push([`picture-${i}.jpg`, data(3_200_000 + i, i * MINUTE)]);
  return new Map(files);
}

const first = (): Tree => new Map([['index.html', text('<!doctype html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8">\n    <title>Mira’s corner</title>\n  </head>\n  <body>\n    <main>\n      <h1>Hello</h1>\n    </main>\n  </body>\n</html>\n', 0)]]);

export class MockSite {
  #files: Tree;
  #folders = new Set<string>();
  #root = OWN;
  #untouched: boolean;
  #undos = new Map<string, () => void>();
  #versions = new WeakMap<MockFile, string>();
  #next = 1;
  /** Another program changes the file right before it is written. */
  #restless: boolean;

  constructor(scenario: string) {
    this.#untouched = ['first', 'choosing', 'site-new'].includes(scenario);
    this.#restless = scenario === 'site-conflict';
    this.#files = scenario === 'site-big' ? big() : scenario === 'site-empty' ? new Map() : this.#untouched ? first() : small();
  }

  readonly api: SiteApi = {
    files: async () => this.#list(),
    read: async (path) => this.#read(path),
    write: async (path, content, version) => this.#write(path, content, version),
    makeFolder: async (path) => {
      if (this.#taken(path)) throw exists(path);
      this.#folders.add(path);
      this.#untouched = false;
    },
    move: async (from, to) => {
      if (this.#taken(to)) throw exists(to);
      return this.#changed(`${nameOf(from)} ${parentOf(from) === parentOf(to) ? 'renamed to' : 'moved to'} ${parentOf(from) === parentOf(to) ? nameOf(to) : parentOf(to) || 'the top'}.`, () => this.#move(from, to));
    },
    remove: async (paths) =>
      this.#changed(paths.length === 1 && paths[0] ? `${nameOf(paths[0])} moved to the bin.` : `${paths.length} files moved to the bin.`, () => {
        for (const path of [...this.#files.keys(), ...this.#folders]) if (paths.some((gone) => within(path, gone))) this.#forget(path);
      }),
    undo: async (id) => {
      this.#undos.get(id)?.();
      this.#undos.delete(id);
    },
    add: (files, into, clash, progress, signal) => this.#add(files, into, clash, progress, signal),
    setFolder: async (path) => {
      if (path !== null && !path.startsWith('/')) throw new Refusal({ code: 'invalid', message: `${path} isn’t a folder on this computer. Enter its whole path, such as /home/mira/Pictures.` });
      this.#root = path ?? OWN;
      this.#files = path === null ? small() : new Map([['lake.jpg', data(3_100_000, MINUTE)], ['heron.mp4', data(212_000_000, MINUTE)]]);
      this.#folders.clear();
      this.#untouched = false;
    },
    starters: async () => STARTERS,
    plan: async (id) => this.#plan(id),
    apply: async (id) => {
      const { title, tables } = STARTERS.find((starter) => starter.id === id) ?? { title: 'Template', tables: [] };
      const pages: Record<string, string> = { 'index.html': FRONT.replaceAll('Field notes', title), 'style.css': STYLE };
      this.#untouched = false;
      return this.#changed(tables.length > 0 ? `${title} is in place, with ${tables.length === 1 ? 'a table' : `${tables.length} tables`}. What was there is kept as a copy.` : `${title} is in place. What was there is kept as a copy.`, () => {
        for (const [path, content] of Object.entries(pages)) this.#files.set(path, text(content, 0));
      });
    },
    importTemplate: async (source): Promise<Template> => {
      const name = typeof source === 'string' ? nameOf(source) : source.name;
      if (!name.endsWith('.zip')) throw new Refusal({ code: 'invalid', message: `${name} isn’t a template: there’s no manifest.json in it.` });
      return { id: 'template', title: 'Corner shop', description: 'A small shop window with opening hours.', notes: ['Scripts in lua/ are kept and don’t run yet.'], plan: this.#plan('template') };
    },
    exportTemplate: async () => ({ path: '/home/mira/Downloads/mira-s-corner.zip' }),
    backup: async () => ({ path: '/home/mira/Downloads/mira-s-corner.goop2-backup' }),
    restorePlan: async (source, passphrase): Promise<Backup> => this.#backup(typeof source === 'string' ? source : source.name, passphrase),
    restore: async () => {
      this.#files = small();
      this.#untouched = false;
    },
  };

  #list(): SiteFiles {
    const entries = new Map<string, SiteEntry>();
    const folder = (path: string): SiteEntry => {
      const known = entries.get(path) ?? { path, folder: true, size: 0, modified: 0, files: 0, front: false, unserved: null };
      entries.set(path, known);
      return known;
    };
    for (const path of this.#folders) for (const parent of [...parents(path), path]) folder(parent);
    for (const [path, file] of this.#files) {
      for (const parent of parents(path)) {
        const above = folder(parent);
        above.size += file.size;
        above.files++;
        above.modified = Math.max(above.modified, file.modified);
      }
      entries.set(path, { path, folder: false, size: file.size, modified: file.modified, files: 0, front: path === 'index.html', unserved: nameOf(path).startsWith('.') ? 'hidden file' : ['_redirects', '_headers'].includes(path) ? 'rules for this site' : null });
    }
    const problems = this.#files.get('_redirects')?.text?.includes('399') ? [{ file: '_redirects', line: 2, message: '399 isn’t a redirect status. Use 301, 302, 303, 307 or 308.' }] : [];
    return { root: this.#root, own: this.#root === OWN, entries: [...entries.values()], complete: true, broken: this.#broken(), problems, listed: !this.#files.has('index.html'), untouched: this.#untouched };
  }

  #broken(): BrokenLink[] {
    return [...this.#files].flatMap(([page, { text }]) =>
      !page.endsWith('.html') || text === null
        ? []
        : text.split('\n').flatMap((line, at) => [...line.matchAll(/(?:href|src)="([^":]+)"/g)].flatMap(([, link = '']) => (this.#files.has(link) ? [] : [{ page, line: at + 1, link }]))),
    );
  }

  #read(path: string): SiteText {
    const file = this.#files.get(path);
    if (!file) throw missing(path);
    if (file.text === null) throw new Refusal({ code: 'invalid', message: `${nameOf(path)} isn’t a text file.` });
    return { path, text: file.text, version: this.#version(file) };
  }

  #write(path: string, content: string, version: string | null): SiteText {
    if (this.#restless) {
      this.#restless = false;
      this.#files.set(path, text((this.#files.get(path)?.text ?? '').replace('Most mornings', 'Every morning'), 0));
    }
    const file = this.#files.get(path);
    if (version === null && this.#taken(path)) throw exists(path);
    if (version !== null && (!file || this.#version(file) !== version)) throw new Refusal({ code: 'conflict', message: `${nameOf(path)} changed on the disk.` });
    const now = text(content, 0);
    this.#files.set(path, now);
    this.#untouched = false;
    return { path, text: content, version: this.#version(now) };
  }

  async #add(files: Incoming, into: string, clash: Clash, progress: (done: Progress) => void, signal: AbortSignal): Promise<Added> {
    const incoming = files.map((file: IncomingFile | string) => (typeof file === 'string' ? { path: nameOf(file), size: 3_000_000, file: null } : { path: file.path, size: file.file.size, file: file.file }));
    const goal = (path: string): string => (into ? `${into}/${path}` : path);
    const taken = incoming.filter(({ path }) => this.#files.has(goal(path)));
    if (clash === 'ask' && taken.length > 0) throw new Refusal({ code: 'exists', message: taken.map(({ path }) => goal(path)).join('\n') });
    const total = incoming.reduce((sum, { size }) => sum + size, 0);
    const added: string[] = [];
    const skipped: string[] = [];
    const before = this.#copy();
    let done = 0;
    for (const { path, size, file } of incoming) {
      for (let sent = 0; sent < size; sent += STEP) {
        await new Promise((then) => setTimeout(then, STEP_MS));
        if (signal.aborted) {
          before();
          throw new DOMException('The upload was canceled.', 'AbortError');
        }
        progress({ file: path, done: done + Math.min(size, sent + STEP), total });
      }
      done += size;
      let to = goal(path);
      if (this.#files.has(to) && clash === 'skip') {
        skipped.push(to);
        continue;
      }
      for (let n = 2; clash === 'both' && this.#files.has(to); n++) to = goal(path).replace(/(\.[^./]*)?$/, ` ${n}$1`);
      this.#files.set(to, file && /\.(html?|css|js|json|md|txt|svg)$/.test(path) ? text(await file.text(), 0) : data(size, 0));
      added.push(to);
    }
    this.#untouched = false;
    const id = this.#remember(before);
    return { added, skipped, undo: { id, message: added.length === 1 && added[0] ? `${nameOf(added[0])} added.` : `${added.length} files added.` } };
  }

  #plan(id: string): Plan {
    const tables = STARTERS.find((starter) => starter.id === id)?.tables ?? [];
    const pages = ['index.html', 'style.css'];
    return { adds: pages.filter((path) => !this.#files.has(path)), replaces: pages.filter((path) => this.#files.has(path)), removes: [], tables };
  }

  #backup(name: string, passphrase: string | null): Backup {
    if (!name.endsWith('.goop2-backup')) throw new Refusal({ code: 'invalid', message: `${nameOf(name)} isn’t a backup of Goop2.` });
    const locked = name.includes('locked') && passphrase === null;
    if (name.includes('locked') && passphrase !== null && passphrase !== 'heron') throw new Refusal({ code: 'passphrase', message: 'That isn’t the passphrase of this backup.' });
    return { id: locked ? '' : 'backup', locked, label: 'Mira’s corner', peer: '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA', made: Date.now() - 26 * 60 * MINUTE, identity: name.includes('locked'), same: true, files: 53, size: 318_000_000, tables: [{ name: 'guestbook', rows: 128 }] };
  }

  #version(file: MockFile): string {
    const known = this.#versions.get(file) ?? `v${this.#next++}`;
    this.#versions.set(file, known);
    return known;
  }

  #taken(path: string): boolean {
    return this.#files.has(path) || this.#folders.has(path) || [...this.#files.keys()].some((other) => other.startsWith(`${path}/`));
  }

  #move(from: string, to: string): void {
    for (const [path, file] of [...this.#files]) {
      if (!within(path, from)) continue;
      this.#files.delete(path);
      this.#files.set(to + path.slice(from.length), file);
    }
    for (const path of [...this.#folders]) {
      if (!within(path, from)) continue;
      this.#folders.delete(path);
      this.#folders.add(to + path.slice(from.length));
    }
  }

  #forget(path: string): void {
    this.#files.delete(path);
    this.#folders.delete(path);
  }

  #changed(message: string, change: () => void): Undo {
    const id = this.#remember(this.#copy());
    change();
    return { id, message };
  }

  /** What brings back how it is now. */
  #copy(): () => void {
    const [files, folders] = [new Map(this.#files), new Set(this.#folders)];
    return () => {
      this.#files = files;
      this.#folders = folders;
    };
  }

  #remember(undo: () => void): string {
    const id = `undo-${this.#next++}`;
    this.#undos.set(id, undo);
    return id;
  }
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
const parents = (path: string): string[] => path.split('/').slice(0, -1).map((_, i, names) => names.slice(0, i + 1).join('/'));

const exists = (path: string): Refusal => new Refusal({ code: 'exists', message: path });
const missing = (path: string): Refusal => new Refusal({ code: 'not-found', message: `${nameOf(path)} is no longer there.` });
