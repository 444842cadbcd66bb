// Your own site in a browser: files are uploaded one by one, archives are downloaded.

import { Refusal, type Added, type Backup, type Plan, type Saved, type SiteApi, type SiteFiles, type SiteText, type Source, type Starter, type Template, type Undo } from './index';
import { ofBrowser, uploaded } from './uploaded';

type Request = <T>(path: string, body?: object, method?: string) => Promise<T>;

/** How this tab signs what is not JSON. */
export interface Signed {
  /** An answer to the user, of whatever status but 401. */
  fetch(path: string, init: RequestInit): Promise<Response>;
  token(): Promise<string | null>;
}

const UNREACHABLE = { code: 'unreachable', message: 'Goop2 isn’t responding. It may have been closed.' };

export function httpSite(request: Request, signed: Signed): SiteApi {
  const ask = <T>(op: string, rest: object = {}): Promise<T> => request<T>('/api/site', { op, ...rest });
  const made = async (path: string, body: object, name: string): Promise<Saved> => saved(await signed.fetch(path, { method: 'POST', body: JSON.stringify(body) }), name);
  return {
    files: () => ask<SiteFiles>('files'),
    read: (path) => ask<SiteText>('read', { path }),
    write: (path, text, version) => ask<SiteText>('write', { path, text, version }),
    makeFolder: (path) => ask('make_folder', { path }),
    move: (from, to) => ask<Undo>('move', { from, to }),
    remove: (paths) => ask<Undo>('remove', { paths }),
    undo: (id) => ask('undo', { id }),
    add: (files, into, clash, progress, signal) =>
      uploaded({ files: ofBrowser(files), into, clash, progress, signal }, ask, (file, to, told) => upload<Added>(signed, `/api/site/file?${new URLSearchParams({ ...to })}`, file, signal, told)),
    setFolder: (path) => ask('set_folder', { path }),
    starters: () => ask<Starter[]>('starters'),
    plan: (starter) => ask<Plan>('plan', { starter }),
    apply: (starter) => ask<Undo>('apply', { starter }),
    importTemplate: (source) => upload<Template>(signed, '/api/site/template', archive(source)),
    exportTemplate: () => made('/api/site/template', {}, 'site.zip'),
    backup: (passphrase) => made('/api/site/backup', { passphrase }, 'site.goop2-backup'),
    restorePlan: async (source, passphrase) => {
      const { id } = await upload<{ id: string }>(signed, '/api/site/backup', archive(source));
      return ask<Backup>('open_backup', { id, passphrase });
    },
    restore: (id, identity) => ask('restore', { id, identity }),
  };
}

/** By XMLHttpRequest, because `fetch` doesn't say how far it is. */
async function upload<T>(signed: Signed, path: string, body: Blob, signal?: AbortSignal, progress: (done: number) => void = () => {}): Promise<T> {
  const token = await signed.token();
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    const stopped = (): void => reject(new DOMException('The upload was canceled.', 'AbortError'));
    if (signal?.aborted) return stopped();
    signal?.addEventListener('abort', () => sending.abort(), { once: true });
    sending.upload.onprogress = ({ loaded }) => progress(loaded);
    sending.onabort = stopped;
    sending.onerror = () => reject(new Refusal(UNREACHABLE));
    sending.onload = () => {
      const value = parsed(sending.responseText);
      if (sending.status >= 200 && sending.status < 300) resolve(value as T);
      else reject(Refusal.from(value, `Something went wrong (error ${sending.status}). Try again.`));
    };
    sending.open('PUT', path);
    if (token !== null) sending.setRequestHeader('Authorization', `Bearer ${token}`);
    sending.send(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Saves an answer as a download; the browser keeps a large one on its disk. */
export async function saved(answer: Response, name: string): Promise<Saved> {
  if (!answer.ok) throw Refusal.from(await answer.json().catch(() => null), `Something went wrong (error ${answer.status}). Try again.`);
  const href = URL.createObjectURL(await answer.blob());
  Object.assign(document.createElement('a'), { href, download: fileName(answer) ?? name }).click();
  setTimeout(() => URL.revokeObjectURL(href));
  return { path: null };
}

const fileName = (answer: Response): string | null => /filename="([^"]+)"/.exec(answer.headers.get('Content-Disposition') ?? '')?.[1] ?? null;

function archive(source: Source): File {
  if (typeof source !== 'string') return source;
  throw new Refusal({ code: 'invalid', message: 'Choose a file.' });
}
