// Files whose bytes a page has, on their way into the site one by one.

import type { Added, Clash, Incoming, IncomingFile, Progress } from './index';

/** Names of files whose upload one question is about: a request has a bounded size. */
const MAX_ASKED = 5_000;

export interface Uploads {
  readonly files: readonly IncomingFile[];
  readonly into: string;
  readonly clash: Clash;
  readonly progress: (done: Progress) => void;
  readonly signal: AbortSignal;
}

/** Where a file goes. */
export interface To {
  readonly path: string;
  readonly clash: Clash;
  /** Files with the same one are undone together. */
  readonly batch: string;
}

type Ask = <T>(op: string, rest?: object) => Promise<T>;

/** Sends each with `send`, which may tell how many bytes are there. All of them can be undone at once. */
export async function uploaded({ files, into, clash, progress, signal }: Uploads, ask: Ask, send: (file: File, to: To, told: (done: number) => void) => Promise<Added>): Promise<Added> {
  const paths = files.map(({ path }) => (into === '' ? path : `${into}/${path}`));
  if (clash === 'ask') for (let from = 0; from < paths.length; from += MAX_ASKED) await ask('free', { paths: paths.slice(from, from + MAX_ASKED) });
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const batch = crypto.randomUUID();
  const all: Added = { added: [], skipped: [], undo: { id: batch, message: '' } };
  let before = 0;
  try {
    for (const [index, { file }] of files.entries()) {
      signal.throwIfAborted();
      const path = paths[index] ?? file.name;
      const one = await send(file, { path, clash, batch }, (done) => progress({ file: path, done: before + done, total }));
      all.added.push(...one.added);
      all.skipped.push(...one.skipped);
      all.undo = one.undo;
      before += file.size;
      progress({ file: path, done: before, total });
    }
  } catch (thrown) {
    if (all.added.length > 0) await ask('undo', { id: all.undo.id }).catch(() => {});
    throw thrown;
  }
  if (all.added.length !== 1) all.undo.message = `${all.added.length} files added.`;
  return all;
}

export const ofBrowser = (files: Incoming): readonly IncomingFile[] => files.filter((file) => typeof file !== 'string');
