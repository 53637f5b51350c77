import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Backup, Job } from '$lib/api/types';
import { BackupList, lastVerify } from './backups.svelte';
import { toasts } from './toasts.svelte';

interface Asked {
  path: string;
  body: Record<string, unknown>;
  answer: (status: number, body: unknown) => void;
}

/** Calls that wait for their answer. */
let asked: Asked[];

beforeEach(() => {
  asked = [];
  vi.stubGlobal(
    'fetch',
    (path: string, { body, signal }: RequestInit) =>
      new Promise<Response>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
        asked.push({
          path,
          // eslint-disable-next-line no-restricted-properties
          body: JSON.parse(body as string) as Record<string, unknown>,
          answer: (status, body) => resolve(Response.json(body, { status })),
        });
      }),
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const at = (location: string) => ({ location }) as Backup;

describe('BackupList', () => {
  it('keeps what is shown while the same place is read again', async () => {
    const list = new BackupList();
    const first = list.load({ target: 'disk' });
    expect(list.place).toBeNull();
    asked[0]?.answer(200, { backups: [at('/b/backup/1')] });
    await first;
    expect(list.place).toEqual({ target: 'disk' });

    const again = list.load({ target: 'disk' });
    expect(list.backups).toHaveLength(1);
    expect(list.busy).toBe(true);
    asked[1]?.answer(200, { backups: [] });
    await again;
    expect(list.backups).toEqual([]);
    expect(list.busy).toBe(false);
  });

  it('shows nothing of one place for another, whoever answers last', async () => {
    const list = new BackupList();
    const slow = list.load({ location: '/slow' });
    const next = list.load({ location: '/next' });
    asked[1]?.answer(200, { backups: [at('/next/backup/2')] });
    asked[0]?.answer(200, { backups: [at('/slow/backup/1')] });
    await Promise.all([slow, next]);
    expect(list.backups).toEqual([at('/next/backup/2')]);
    expect(list.place).toEqual({ location: '/next' });
    expect(list.busy).toBe(false);
  });

  it('says why a place cannot be read', async () => {
    const list = new BackupList();
    const load = list.load({ location: '/nowhere' });
    asked[0]?.answer(502, { detail: '/nowhere: there is no such folder' });
    await load;
    expect(list.error).toBe('/nowhere: there is no such folder');
    expect(list.busy).toBe(false);
  });

  it('verifies by where it lies in a target, or else by its location', async () => {
    const list = new BackupList();
    for (const place of [{ target: 'disk' }, { location: 'C:\\kept' }]) {
      const load = list.load(place);
      asked.at(-1)?.answer(200, { backups: [] });
      await load;
      const begun = list.verify(at('C:\\kept\\backup\\17'));
      asked.at(-1)?.answer(202, {});
      expect(await begun).toBe(true);
    }
    expect(asked.filter(({ path }) => path === '/api/backups/verify').map(({ body }) => body)).toEqual([
      { target: 'disk', backup: 'backup/17' },
      { backup: 'C:\\kept\\backup\\17' },
    ]);
  });

  it('tells when that could not begin', async () => {
    const failed = vi.spyOn(toasts, 'failed');
    const list = new BackupList();
    const load = list.load({ target: 'disk' });
    asked[0]?.answer(200, { backups: [] });
    await load;
    const begun = list.verify(at('/b/backup/1'));
    asked[1]?.answer(404, { detail: 'no target' });
    expect(await begun).toBe(false);
    expect(failed).toHaveBeenCalledWith('That did not work', 'no target');
  });
});

describe('lastVerify', () => {
  it('is the newest that read this backup', () => {
    const jobs = [
      { id: 4, kind: 'verify', subject: '/b/backup/1' },
      { id: 3, kind: 'verify_backup', subject: '/b/backup/2' },
      { id: 2, kind: 'verify_backup', subject: '/b/backup/1' },
      { id: 1, kind: 'verify_backup', subject: '/b/backup/1' },
    ] as Job[];
    expect(lastVerify(jobs, at('/b/backup/1'))?.id).toBe(2);
    expect(lastVerify(jobs, at('/b/backup/3'))).toBeUndefined();
  });
});
