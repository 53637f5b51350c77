/** Messages in each second up to and including `at` (unix seconds), oldest first. */
interface Rate {
  at: number;
  counts: number[];
}

export const RATE_SECONDS = 60;

/** Messages per second for the minute that ends now, oldest first; shifts as time goes on. */
export function lastMinute(rate: Rate | null, nowMs: number): number[] {
  const seconds = new Array<number>(RATE_SECONDS).fill(0);
  if (rate === null) return seconds;
  const now = Math.max(Math.floor(nowMs / 1000), rate.at);
  rate.counts.forEach((count, i) => {
    const age = now - (rate.at - (rate.counts.length - 1 - i));
    if (age >= 0 && age < RATE_SECONDS) seconds[RATE_SECONDS - 1 - age] = count;
  });
  return seconds;
}

/** Adds neighbours together, so that `bars` of them stand for the whole. */
export function binned(values: number[], bars: number): number[] {
  const size = values.length / bars;
  return Array.from({ length: bars }, (_, i) =>
    values.slice(Math.round(i * size), Math.round((i + 1) * size)).reduce((sum, v) => sum + v, 0),
  );
}
