import type { Fault, FaultSpec } from '$lib/api/types';
import { formatCount } from '$lib/format/number';

export type FaultKind = FaultSpec['kind'];

/** What each kind of fault does, and which fields it has. */
export const KINDS: Record<FaultKind, { name: string; effect: string; fields: ('status' | 'after' | 'bytes')[] }> = {
  status: { name: 'Status', effect: 'Answers with a status; nothing is done.', fields: ['status'] },
  delay: { name: 'Delay', effect: 'Waits before the request is looked at.', fields: ['after'] },
  'drop-before': { name: 'Drop before', effect: 'Closes the connection; nothing is done.', fields: [] },
  'drop-after': {
    name: 'Drop after',
    effect:
      'Does what is asked, then closes the connection without an answer. A retry shows whether the client repeats itself.',
    fields: [],
  },
  cut: { name: 'Cut', effect: 'Closes the connection in the middle of the body, or of an event.', fields: ['bytes'] },
  timeout: { name: 'Timeout', effect: 'Ends the wait of a long-poll or SSE response early.', fields: ['after'] },
  kill: { name: 'Kill', effect: 'Closes the connection after a while, live reads too.', fields: ['after'] },
};

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'] as const;

/** What a fault does, in a line. */
export function describeFault(fault: Fault): string {
  const parts: string[] = [KINDS[fault.kind].name];
  if (fault.status) parts.push(String(fault.status));
  if (fault.retry_after) parts.push(`Retry-After ${fault.retry_after}`);
  if (fault.after_ms || fault.jitter_ms) {
    const jitter = fault.jitter_ms ? ` to ${formatCount((fault.after_ms ?? 0) + fault.jitter_ms)}` : '';
    parts.push(`${formatCount(fault.after_ms ?? 0)}${jitter} ms`);
  }
  if (fault.bytes) parts.push(`after ${formatCount(fault.bytes)} bytes`);
  return parts.join(' ');
}

/** How often it happens. */
export function describeOdds({ probability = 0, count = 0 }: Fault): string {
  const times = count === 1 ? 'once' : `${formatCount(count)} times`;
  if (probability > 0 && probability < 1) {
    const odds = `${Math.round(probability * 1000) / 10} %`;
    return count > 0 ? `${odds}, ${times}` : odds;
  }
  return count > 0 ? times : 'always';
}
