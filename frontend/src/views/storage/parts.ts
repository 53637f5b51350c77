import type { StreamStorage } from '$lib/api/types';

/** A part of a stream, or a place that holds some of one. */
export interface Part {
  kind: 'inherited' | 'cold' | 'log' | 'segments' | 'file' | 'unsealed';
  /** Where it lies, or the stream that it is inherited from. */
  where: string;
  /** Set for the parts that make up the stream; places within the log share its messages. */
  messages: number | null;
  pieces: number | null;
  bytes: number | null;
  /** Of the recorded snapshot. */
  snapshot: number | null;
}

/** The parts from the beginning to the tail, the log followed by the places within it. */
export function partsOf({ inherited, cold, hot, frees }: StreamStorage): Part[] {
  const none = { messages: null, pieces: null, bytes: null, snapshot: null };
  const parts: Part[] = [
    ...inherited.map(({ stream, messages }) => ({ ...none, kind: 'inherited' as const, where: stream, messages })),
    ...cold.map(({ location, messages, size, snapshot }) => ({
      ...none,
      kind: 'cold' as const,
      where: location,
      messages,
      bytes: size,
      snapshot,
    })),
  ];
  if (frees === 0) return parts;
  parts.push({ ...none, kind: 'log', where: '', messages: hot.messages, bytes: frees });
  if (hot.segments.pieces > 0) parts.push({ ...none, kind: 'segments', where: 'tailrace.db', ...hot.segments });
  for (const { name, pieces, bytes } of hot.files) parts.push({ ...none, kind: 'file', where: name, pieces, bytes });
  if (hot.unsealed.pieces > 0) parts.push({ ...none, kind: 'unsealed', where: 'tailrace.db', ...hot.unsealed });
  return parts;
}
