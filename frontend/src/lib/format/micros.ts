/** Microseconds as milliseconds, with as many digits as one can tell apart: 0.24, 12.6, 1,840. */
export function formatMicros(us: number): string {
  const ms = us / 1000;
  if (ms < 10) return ms.toFixed(2);
  if (ms < 100) return ms.toFixed(1);
  return new Intl.NumberFormat('en-US').format(Math.round(ms));
}
