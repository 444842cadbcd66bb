import { describe, expect, it, vi } from 'vitest';
import { Refusal, type Added, type SiteApi, type SiteText } from '../src/api';
import { Adding } from '../src/state/adding.svelte';
import { Editing } from '../src/state/editing.svelte';

/** One file on a disk that others write to as well. */
function disk(text: string | null): { api: SiteApi; now: () => string | null; others: (text: string | null) => void } {
  let file = text;
  let version = 1;
  const read = (): SiteText => {
    if (file === null) throw new Refusal({ code: 'not-found', message: 'gone' });
    return { path: 'a.html', text: file, version: `${version}` };
  };
  const api = {
    read: async () => read(),
    write: async (_: string, text: string, was: string | null) => {
      if (was === null ? file !== null : file === null || was !== `${version}`) throw new Refusal({ code: 'conflict', message: 'changed' });
      file = text;
      version++;
      return read();
    },
  } as Partial<SiteApi> as SiteApi;
  const others = (text: string | null): void => {
    file = text;
    version++;
  };
  return { api, now: () => file, others };
}

async function open(text: string): Promise<{ editing: Editing; saved: ReturnType<typeof vi.fn> } & ReturnType<typeof disk>> {
  const there = disk(text);
  const saved = vi.fn();
  return { ...there, saved, editing: new Editing(there.api, await there.api.read('a.html'), saved) };
}

describe('a text that is edited', () => {
  it('is saved to the version that was read', async () => {
    const { editing, now, saved } = await open('one');
    expect(await editing.save()).toBe(true);
    expect(saved).not.toHaveBeenCalled();
    editing.text = 'two';
    expect(editing.dirty).toBe(true);
    expect(await editing.save()).toBe(true);
    expect([now(), editing.dirty]).toEqual(['two', false]);
  });

  it('follows the disk as long as nothing is typed', async () => {
    const { editing, others } = await open('one');
    others('theirs');
    await editing.look();
    expect([editing.text, editing.conflict]).toEqual(['theirs', null]);
  });

  it('asks when both changed, and keeps either', async () => {
    const { editing, others, now } = await open('one');
    editing.text = 'mine';
    others('theirs');
    await editing.look();
    expect(editing.conflict?.text).toBe('theirs');
    expect(await editing.save()).toBe(false);
    expect(now()).toBe('theirs');
    expect(await editing.keepMine()).toBe(true);
    expect([now(), editing.conflict]).toEqual(['mine', null]);

    editing.text = 'mine again';
    others('theirs again');
    expect(await editing.save()).toBe(false);
    expect(editing.problem).toBe('');
    editing.takeTheirs();
    expect([editing.text, editing.dirty]).toEqual(['theirs again', false]);
  });

  it('asks again when it changed once more', async () => {
    const { editing, others } = await open('one');
    editing.text = 'mine';
    others('theirs');
    await editing.look();
    others('newer');
    expect(await editing.keepMine()).toBe(false);
    expect(editing.conflict?.text).toBe('newer');
  });

  it('comes back as a new file after it was deleted', async () => {
    const { editing, others, now } = await open('one');
    editing.text = 'mine';
    others(null);
    expect(await editing.save()).toBe(false);
    expect(editing.problem).toContain('deleted');
    expect(await editing.save()).toBe(true);
    expect(now()).toBe('mine');
  });

  it('keeps what is typed while it is saved', async () => {
    const { editing, now } = await open('one');
    editing.text = 'two';
    const saving = editing.save();
    editing.text = 'two and a half';
    await saving;
    expect([now(), editing.text, editing.dirty]).toEqual(['two', 'two and a half', true]);
  });
});

describe('adding files', () => {
  const file = { path: 'a.jpg', file: new File(['x'], 'a.jpg') };
  const added: Added = { added: ['a.jpg'], skipped: [], undo: { id: 'u', message: '1 file added.' } };

  it('asks once about names that are taken', async () => {
    const add = vi.fn<SiteApi['add']>().mockRejectedValueOnce(new Refusal({ code: 'exists', message: 'a.jpg\nb.jpg' })).mockResolvedValueOnce(added);
    const done = vi.fn();
    const adding = new Adding({ add } as Partial<SiteApi> as SiteApi, done);
    await adding.add([file], 'photos');
    expect(adding.clash?.names).toEqual(['a.jpg', 'b.jpg']);
    adding.answer('both');
    await vi.waitFor(() => expect(done).toHaveBeenCalledWith(added.undo));
    expect(add.mock.calls.map(([, into, clash]) => [into, clash])).toEqual([['photos', 'ask'], ['photos', 'both']]);
    expect(adding.clash).toBeNull();
  });

  it('is canceled without a word', async () => {
    const add = vi.fn<SiteApi['add']>((_, __, ___, ____, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))));
    const adding = new Adding({ add } as Partial<SiteApi> as SiteApi, vi.fn());
    const running = adding.add([file], '');
    expect(adding.progress).not.toBeNull();
    await adding.add([file], '');
    expect(add).toHaveBeenCalledOnce();
    adding.problem = '';
    adding.cancel();
    await running;
    expect([adding.progress, adding.problem]).toEqual([null, '']);
  });

  it('says why it failed', async () => {
    const add = vi.fn<SiteApi['add']>().mockRejectedValueOnce(new Refusal({ code: 'invalid', message: 'There isn’t enough free space on the disk.' }));
    const adding = new Adding({ add } as Partial<SiteApi> as SiteApi, vi.fn());
    await adding.add([file], '');
    expect(adding.problem).toContain('free space');
  });
});
