import type { Lane } from '$lib/api/types';

/** How many appends of each decision a lane has, the first seen first. */
export function tally(lane: Lane): { decision: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { decision, count } of lane.marks) counts.set(decision, (counts.get(decision) ?? 0) + count);
  return [...counts].map(([decision, count]) => ({ decision, count }));
}

/** When an epoch was fenced: the first append that a later one of the same producer stored with seq 0. */
export function fences(lane: Lane, all: Lane[]): number[] {
  const times = all
    .filter(({ epoch }) => epoch > lane.epoch)
    .flatMap(({ marks }) => marks.filter(({ decision, low }) => decision === 'stored' && low === 0).slice(0, 1))
    .map(({ at }) => at);
  return times.length === 0 ? [] : [Math.min(...times)];
}
