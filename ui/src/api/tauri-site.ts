// Your own site in the desktop window: files come from and go to this computer by their paths. Of a picture that was pasted, the page
// has only the bytes.

import { Channel } from '@tauri-apps/api/core';
import { Refusal, type Added, type Backup, type Incoming, type Plan, type Progress, type Saved, type SiteApi, type SiteFiles, type SiteText, type Source, type Starter, type Template, type Undo } from './index';
import { ofBrowser, uploaded } from './uploaded';

type Call = <T>(command: string, args?: Record<string, unknown>) => Promise<T>;
/** Bytes, and what is said about them. */
type Send = <T>(command: string, bytes: Uint8Array, about: Record<string, string>) => Promise<T>;

export function tauriSite(call: Call, send: Send): SiteApi {
  const ask = <T>(op: string, rest: object = {}): Promise<T> => call<T>('site', { request: { op, ...rest } });
  return {
    files: () => ask<SiteFiles>('files'),
    read: (path) => ask<SiteText>('read', { path }),
    write: (path, text, version) => ask<SiteText>('write', { path, text, version }),
    makeFolder: (path) => ask('make_folder', { path }),
    move: (from, to) => ask<Undo>('move', { from, to }),
    remove: (paths) => ask<Undo>('remove', { paths }),
    undo: (id) => ask('undo', { id }),
    add: async (files, into, clash, progress, signal) => {
      signal.throwIfAborted();
      const bytes = ofBrowser(files);
      if (bytes.length > 0) {
        return uploaded({ files: bytes, into, clash, progress, signal }, ask, async (file, to) =>
          send<Added>('upload_file', new Uint8Array(await file.arrayBuffer()), { ...to }),
        );
      }
      const channel = new Channel<Progress>();
      channel.onmessage = progress;
      const number = crypto.randomUUID();
      const cancel = (): void => void call('cancel_add', { number });
      signal.addEventListener('abort', cancel, { once: true });
      try {
        return await call<Added>('add_files', { paths: local(files), into, clash, number, progress: channel });
      } catch (thrown) {
        signal.throwIfAborted();
        throw thrown;
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    },
    setFolder: (path) => ask('set_folder', { path }),
    starters: () => ask<Starter[]>('starters'),
    plan: (starter) => ask<Plan>('plan', { starter }),
    apply: (starter) => ask<Undo>('apply', { starter }),
    importTemplate: (source) => call<Template>('import_template', { path: place(source) }),
    exportTemplate: () => call<Saved>('export_template'),
    backup: (passphrase) => call<Saved>('save_backup', { passphrase }),
    restorePlan: (source, passphrase) => call<Backup>('open_backup', { path: place(source), passphrase }),
    restore: (id, identity) => ask('restore', { id, identity }),
  };
}

const local = (files: Incoming): string[] => files.filter((file) => typeof file === 'string');

function place(source: Source): string {
  if (typeof source === 'string') return source;
  throw new Refusal({ code: 'invalid', message: 'Drop the file on the window, or choose it.' });
}
