import { call } from './client';
import type { Place } from './snapshots';
import type { Backup, Job } from './types';

export function takeBackup(place: Place): Promise<Job> {
  return call('POST', '/api/backups', { body: place });
}

/** What lies at a place, newest first. */
export async function listBackups(place: Place, signal?: AbortSignal): Promise<Backup[]> {
  return (await call<{ backups: Backup[] }>('POST', '/api/backups/list', { body: place, signal })).backups;
}

/** Within a target, a backup is named by where it lies there: the target knows how to get there. */
export function verifyBackup({ location }: Backup, place: Place): Promise<Job> {
  const body =
    'target' in place ? { ...place, backup: location.split(/[\\/]/).slice(-2).join('/') } : { backup: location };
  return call('POST', '/api/backups/verify', { body });
}
