import { call } from './client';
import type { ActivitySeries } from './types';

/** What happened in the last minutes: to all streams, or to one. */
export function readActivity(stream: string | null, signal?: AbortSignal): Promise<ActivitySeries> {
  return call('GET', '/api/activity', { query: { stream: stream ?? undefined }, signal });
}
