import type { Stream } from '$lib/api/types';
import { MINUTE, SECOND } from '$lib/format/time';

/** Milliseconds until a stream expires if nobody touches it; null when it lives for ever. */
export function timeLeft(stream: Stream, now: number): number | null {
  return stream.deadline === null ? null : Math.max(0, stream.deadline - now);
}

const SOON_MS = 5 * MINUTE;
/** A sliding TTL is short on time only when most of it is gone. */
const SOON_PART = 0.2;

export function expiresSoon(stream: Stream, now: number): boolean {
  const left = timeLeft(stream, now);
  if (left === null || stream.deleted || left > SOON_MS) return false;
  return stream.ttl_seconds === null || left < stream.ttl_seconds * SECOND * SOON_PART;
}
