import { call, send } from './client';
import type { Compaction, Job, Snapshot, SnapshotTask, Target, TargetTest } from './types';

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

/** How a recorded snapshot is reached: by its target, if it has one. */
function reach({ target, key, location }: Snapshot) {
  return target === null ? { file: location } : { target, file: key };
}

export function verifySnapshot(snapshot: Snapshot): Promise<Job> {
  return call('POST', '/api/snapshots/verify', { body: reach(snapshot) });
}

export function restoreSnapshot(from: Snapshot | string, as: string, noExpiry: boolean): Promise<Job> {
  const file = typeof from === 'string' ? { file: from } : reach(from);
  return call('POST', '/api/snapshots/restore', { body: { ...file, as, no_expiry: noExpiry } });
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

export async function cancelJob(id: number): Promise<void> {
  await send('DELETE', `/api/jobs/${id}`);
}
