// Files that were dropped or chosen, as what the site takes.

import type { Incoming, IncomingFile } from '../../../api';
import type { Site } from '../../../state/site.svelte';

/** A folder with more files than this is asked about: it can be shared from where it is. */
export const MANY = 200;

/** What one drop may bring: a browser keeps each of them in memory. */
const MOST = 20_000;

/** Adds files, or asks first where a whole folder could be shared from where it is. */
export function bring(site: Site, files: Incoming, folder = site.tree.target): void {
  const name = whole(files);
  if (name === null) void site.adding.add(files, folder);
  else site.dialog = { is: 'bring', files, folder, name };
}

/** The name of the one folder that all of it is in, or null: in the window a single path without a type. */
function whole(files: Incoming): string | null {
  const [first] = files;
  if (first === undefined) return null;
  if (typeof first === 'string') {
    const name = first.slice(Math.max(first.lastIndexOf('/'), first.lastIndexOf('\\')) + 1);
    return files.length === 1 && !name.slice(1).includes('.') ? name : null;
  }
  const top = first.path.split('/')[0] ?? '';
  const together = first.path.includes('/') && (files as readonly IncomingFile[]).every(({ path }) => path.startsWith(`${top}/`));
  return files.length > MANY && together ? top : null;
}

/** Whether a drag brings files from outside the window. */
export const bringsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/** The files of a drop, those of its folders included. */
export async function dropped(data: DataTransfer): Promise<IncomingFile[]> {
  // All at once: after the first pause the drop is over.
  const items = [...data.items].filter(({ kind }) => kind === 'file').map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: IncomingFile[] = [];
  for (const item of items) {
    if (item instanceof File) found.push({ path: item.name, file: item });
    else if (item) await walk(item, '', found);
  }
  return found;
}

async function walk(entry: FileSystemEntry, folder: string, found: IncomingFile[]): Promise<void> {
  if (found.length >= MOST) return;
  const path = `${folder}${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // It gives a hundred at a time, and none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const inside of some) await walk(inside, `${path}/`, found);
  }
}
