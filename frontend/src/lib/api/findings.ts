import { call, send } from './client';
import type { FindingList } from './types';

export function listFindings(signal?: AbortSignal): Promise<FindingList> {
  return call('GET', '/api/findings', { signal });
}

/** Notes that the findings up to a number have been looked at. */
export async function seeFindings(number: number): Promise<void> {
  await send('PUT', '/api/findings/seen', { body: { number } });
}

export async function forgetFindings(): Promise<void> {
  await send('DELETE', '/api/findings');
}
