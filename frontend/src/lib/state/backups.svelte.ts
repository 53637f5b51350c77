import { listBackups, verifyBackup } from '$lib/api/backups';
import { isAbort, reason } from '$lib/api/errors';
import type { Place } from '$lib/api/snapshots';
import type { Backup, Job } from '$lib/api/types';
import { toasts } from './toasts.svelte';

/** The backups that lie at a place. It is asked when somebody looks, not all the time: it may be a bucket. */
export class BackupList {
  backups = $state.raw<Backup[]>([]);
  /** What they were read for; null: nothing was read yet. */
  place = $state.raw<Place | null>(null);
  error = $state<string | null>(null);
  busy = $state(false);

  #asked: Place | null = null;
  #controller = new AbortController();

  /** Reads a place. What another one held is dropped, what this one held stays until the answer is there. */
  async load(place: Place): Promise<void> {
    this.dispose();
    const { signal } = (this.#controller = new AbortController());
    if (!samePlace(place, this.#asked)) {
      this.#asked = place;
      this.place = null;
      this.backups = [];
      this.error = null;
    }
    this.busy = true;
    try {
      const backups = await listBackups(place, signal);
      if (signal.aborted) return;
      this.backups = backups;
      this.place = place;
      this.error = null;
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.error = reason(error);
    }
    this.busy = false;
  }

  /** What has been asked for is not waited for any more. */
  dispose(): void {
    this.#controller.abort();
    this.busy = false;
  }

  /** Begins to check one, and returns whether that could begin. */
  async verify(backup: Backup): Promise<boolean> {
    if (this.place === null) return false;
    try {
      await verifyBackup(backup, this.place);
      return true;
    } catch (error) {
      toasts.failed('That did not work', reason(error));
      return false;
    }
  }
}

/** The last job that verified a backup. */
export function lastVerify(jobs: Job[], { location }: Backup): Job | undefined {
  return jobs.find(({ kind, subject }) => kind === 'verify_backup' && subject === location);
}

function samePlace(a: Place, b: Place | null): boolean {
  if (b === null) return false;
  if ('target' in a) return 'target' in b && a.target === b.target;
  return 'location' in b && a.location === b.location;
}
