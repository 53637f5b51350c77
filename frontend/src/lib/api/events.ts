import { readLines, send } from './client';
import type { LiveEvent } from './types';

/**
 * Reads the live connection until it ends, and hands over every event as it arrives.
 * `watch` adds the tail of one stream. Aborting the signal rejects with the abort.
 */
export async function readEvents(
  watch: string | null,
  signal: AbortSignal,
  receive: (event: LiveEvent) => void,
): Promise<void> {
  const response = await send('GET', '/api/events', { query: { stream: watch ?? undefined }, signal });
  await readLines(response, receive);
}
