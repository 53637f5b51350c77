import { isAbort, reason } from '$lib/api/errors';
import { cancelJob, repeatJob, listJobs, listSnapshots, listTargets, verifySnapshot } from '$lib/api/snapshots';
import type { FoundFile, Job, Snapshot, SnapshotTask, Target } from '$lib/api/types';
import { prefs } from './prefs.svelte';
import { toasts } from './toasts.svelte';

/** While a job runs it is looked at so often, else more rarely. */
const BUSY_MS = 500;
const IDLE_MS = 3000;

/** Recorded snapshots, of all streams or of one, with targets and jobs. */
export class SnapshotList {
  readonly stream: string | null;
  snapshots = $state.raw<Snapshot[]>([]);
  tasks = $state.raw<SnapshotTask[]>([]);
  targets = $state.raw<Target[]>([]);
  jobs = $state.raw<Job[]>([]);
  loaded = $state(false);
  error = $state<string | null>(null);

  readonly running = $derived(this.jobs.filter(({ state }) => state === 'running'));
  /** What somebody asked for and did not get, until it is dismissed or was begun again. */
  readonly failed = $derived(this.jobs.filter((job) => this.#lost(job)));

  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loads = 0;

  constructor(stream: string | null) {
    this.stream = stream;
  }

  /** Stays fresh until the returned function is called. */
  start(): () => void {
    void this.load();
    return () => {
      clearTimeout(this.#timer);
      this.#controller.abort();
    };
  }

  async load(): Promise<void> {
    clearTimeout(this.#timer);
    const { signal } = this.#controller;
    const load = ++this.#loads;
    try {
      if (!document.hidden) {
        const [list, jobs, targets] = await Promise.all([
          listSnapshots(this.stream, signal),
          listJobs(signal),
          listTargets(signal),
        ]);
        if (load !== this.#loads) return; // a later one is under way, and knows more
        this.snapshots = list.snapshots;
        this.tasks = list.tasks;
        this.jobs = jobs;
        this.targets = targets;
        this.loaded = true;
        this.error = null;
      }
    } catch (error) {
      if (isAbort(error) || load !== this.#loads) return;
      this.error = reason(error);
    }
    if (!signal.aborted) {
      this.#timer = setTimeout(() => void this.load(), this.running.length > 0 ? BUSY_MS : IDLE_MS);
    }
  }

  /** The last job that verified a file. */
  lastVerify({ location }: { location: string }): Job | undefined {
    return this.jobs.find(({ kind, subject }) => kind === 'verify' && subject === location);
  }

  /** The last job that verified a file, if it did not go well or still runs. */
  trouble(snapshot: Snapshot): Job | undefined {
    const last = this.lastVerify(snapshot);
    return last?.state === 'done' ? undefined : last;
  }

  async verify(from: Snapshot | FoundFile): Promise<void> {
    await this.#do(() => verifySnapshot(from));
  }

  async again(job: Job): Promise<void> {
    await this.#do(() => repeatJob(job.id));
  }

  /** What has failed so far is not shown any more. */
  dismiss(): void {
    prefs.failuresSeen.value = Math.max(0, ...this.failed.map(({ ended_at }) => ended_at ?? 0));
  }

  async cancel(job: Job): Promise<void> {
    await this.#do(() => cancelJob(job.id));
  }

  /** What a verification has found stands with the file. */
  #lost({ id, kind, subject, state, again, ended_at }: Job): boolean {
    if (state !== 'failed' || !again || kind === 'verify' || kind === 'verify_backup') return false;
    if ((ended_at ?? 0) <= prefs.failuresSeen.value) return false;
    return !this.jobs.some((later) => later.id > id && later.kind === kind && later.subject === subject);
  }

  async #do(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      await this.load();
    } catch (error) {
      toasts.failed('That did not work', reason(error));
    }
  }
}
