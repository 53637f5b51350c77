import { call, send } from './client';
import type { Compaction, FoundFile, Job, Snapshot, SnapshotTask, Target, TargetTest } from './types';

/** Where snapshots lie: a target of the configuration, or a folder or bucket. */
export type Place = { target: string } | { location: string };

export function listSnapshots(
  stream: string | null,
  signal?: AbortSignal,
): Promise<{ snapshots: Snapshot[]; tasks: SnapshotTask[] }> {
  return call('GET', '/api/snapshots', { query: { stream: stream ?? undefined }, signal });
}

export async function listJobs(signal?: AbortSignal): Promise<Job[]> {
  return (await call<{ jobs: Job[] }>('GET', '/api/jobs', { signal })).jobs;
}

export async function listTargets(signal?: AbortSignal): Promise<Target[]> {
  return (await call<{ targets: Target[] }>('GET', '/api/targets', { signal })).targets;
}

export function testTarget(place: Place): Promise<TargetTest> {
  return call('POST', '/api/targets/test', { body: place });
}

export function takeSnapshot(stream: string, place: Place, compress: boolean): Promise<Job> {
  return call('POST', '/api/snapshots', { body: { ...place, stream, compress } });
}

/** Files in watched folders that the log does not know; waits so long for another revision than the one seen. */
export function listFound(
  seen: number,
  wait: number,
  signal?: AbortSignal,
): Promise<{ revision: number; files: FoundFile[] }> {
  return call('GET', '/api/snapshots/found', { query: { seen, wait }, signal });
}

/** A file that a stream can be restored from: recorded, found in a folder, or named by its location. */
export type SnapshotSource = Snapshot | FoundFile | string;

/** How it is reached: by the target of its record, if it has one. */
function reach(from: SnapshotSource) {
  if (typeof from === 'string') return { file: from };
  if ('key' in from && from.target !== null) return { target: from.target, file: from.key };
  return { file: from.location };
}

export function verifySnapshot(from: SnapshotSource): Promise<Job> {
  return call('POST', '/api/snapshots/verify', { body: reach(from) });
}

export function restoreSnapshot(from: SnapshotSource, as: string, noExpiry: boolean): Promise<Job> {
  return call('POST', '/api/snapshots/restore', { body: { ...reach(from), as, no_expiry: noExpiry } });
}

export function pruneSnapshots(keep: {
  streams: string;
  keep_last: number;
  keep_days: number;
  dry_run: boolean;
}): Promise<{ deleted: Snapshot[] }> {
  return call('POST', '/api/snapshots/prune', { body: keep });
}

export function planCompact(body: Place & { streams: string }): Promise<{ streams: Compaction[]; bytes: number }> {
  return call('POST', '/api/snapshots/compact/plan', { body });
}

export function compact(body: Place & { streams: string }): Promise<Job> {
  return call('POST', '/api/snapshots/compact', { body });
}

/** Begins a job that has ended once more. */
export function repeatJob(id: number): Promise<Job> {
  return call('POST', `/api/jobs/${id}/again`);
}

export async function cancelJob(id: number): Promise<void> {
  await send('DELETE', `/api/jobs/${id}`);
}
