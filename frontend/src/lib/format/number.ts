const grouped = new Intl.NumberFormat('en-US');

/** 18402 -> "18,402" */
export function formatCount(n: number): string {
  return grouped.format(n);
}

/** A count with its noun: 1 "message", 2 "messages". */
export function plural(n: number, noun: string, many = `${noun}s`): string {
  return `${formatCount(n)} ${n === 1 ? noun : many}`;
}

/** Rates keep one decimal below ten: 7.2, 38, 1,204. */
export function formatRate(n: number): string {
  return n > 0 && n < 9.95 ? n.toFixed(1) : formatCount(Math.round(n));
}
