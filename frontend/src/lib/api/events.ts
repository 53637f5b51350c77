import { send } from './client';
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
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      // Counters and names of the API, no message data: plain numbers are exact here.
      // eslint-disable-next-line no-restricted-properties
      if (line !== '') receive(JSON.parse(line) as LiveEvent);
    }
  }
}
