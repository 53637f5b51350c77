import { call, send } from './client';
import type { Mirror, MirrorDetail, MirrorList, NewMirror } from './types';

function at(name: string): string {
  return `/api/mirrors/${encodeURIComponent(name)}`;
}

export function listMirrors(signal?: AbortSignal): Promise<MirrorList> {
  return call('GET', '/api/mirrors', { signal });
}

export function readMirror(name: string, signal?: AbortSignal): Promise<MirrorDetail> {
  return call('GET', at(name), { signal });
}

/** Makes it, or has the one of that name go on with another header. */
export function addMirror(mirror: NewMirror): Promise<Mirror> {
  return call('POST', '/api/mirrors', { body: mirror });
}

export async function pauseMirror(name: string): Promise<void> {
  await send('POST', `${at(name)}/pause`);
}

export async function resumeMirror(name: string): Promise<void> {
  await send('POST', `${at(name)}/resume`);
}

/** Forgets it; the copies stay. */
export async function removeMirror(name: string): Promise<void> {
  await send('DELETE', at(name));
}
