import { call, send } from './client';
import type { FindingList } from './types';

export function listFindings(signal?: AbortSignal): Promise<FindingList> {
  return call('GET', '/api/findings', { signal });
}

export async function forgetFindings(): Promise<void> {
  await send('DELETE', '/api/findings');
}
