import { describe, expect, it } from 'vitest';
import type { Lane } from '$lib/api/types';
import { fences, tally } from './lanes';

const lane = (epoch: number, ...marks: [at: number, decision: string, low: number, count?: number][]): Lane => ({
  producer: 'p',
  epoch,
  marks: marks.map(([at, decision, low, count = 1]) => ({ at, decision, low, high: low, count })),
});

describe('lanes', () => {
  const all = [
    lane(3, [10, 'stored', 4, 7], [20, 'fenced', 5], [30, 'stored', 9, 2]),
    lane(4, [15, 'stored', 0]),
    lane(5, [12, 'gap', 3], [25, 'stored', 0]),
  ];

  it('counts by decision', () => {
    expect(tally(all[0]!)).toEqual([
      { decision: 'stored', count: 9 },
      { decision: 'fenced', count: 1 },
    ]);
  });

  it('fences an epoch where the next one begins', () => {
    expect(all.map((one) => fences(one, all))).toEqual([[15], [25], []]);
  });
});
