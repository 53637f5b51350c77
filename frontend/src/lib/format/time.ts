/** The one place that turns times into words. Times are unix milliseconds. */
export type Zone = 'local' | 'utc';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const YEAR = 365.2425 * DAY;

interface Parts {
  date: string;
  clock: string;
}

function parts(ms: number, zone: Zone): Parts {
  // Shifting by the offset lets the UTC getters speak local time.
  const at = zone === 'utc' ? new Date(ms) : new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE);
  if (Number.isNaN(at.getTime())) return { date: '', clock: '' };
  const iso = at.toISOString();
  const split = iso.indexOf('T');
  return { date: iso.slice(0, split), clock: iso.slice(split + 1, -1) };
}

/** 12:04:26.288 */
export function formatClock(ms: number, zone: Zone): string {
  return parts(ms, zone).clock;
}

/** "12:04:26.288" today, "11-21 12:04:26.288" on another day. */
export function formatShort(ms: number, zone: Zone, now: number): string {
  const { date, clock } = parts(ms, zone);
  return isSameDay(ms, now, zone) ? clock : `${date.slice(5)} ${clock}`;
}

/** "Today 12:04:26.288" or "2026-11-21 12:04:26.288" */
export function formatLong(ms: number, zone: Zone, now: number): string {
  const { date, clock } = parts(ms, zone);
  return `${isSameDay(ms, now, zone) ? 'Today' : date} ${clock}`;
}

/** Complete and unambiguous, for titles: "2026-11-21 12:04:26.288 UTC+01:00" */
export function formatFull(ms: number, zone: Zone): string {
  const { date, clock } = parts(ms, zone);
  return `${date} ${clock} ${zone === 'utc' ? 'UTC' : `UTC${offsetOf(ms)}`}`;
}

export function isSameDay(a: number, b: number, zone: Zone): boolean {
  return parts(a, zone).date === parts(b, zone).date;
}

function offsetOf(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  const of = (n: number) => String(n).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${of(Math.floor(Math.abs(minutes) / 60))}:${of(Math.abs(minutes) % 60)}`;
}

/** A span in its largest unit: "38 s", "7 min", "4 h", "6 d", and from two years on "79 y". */
export function formatSpan(ms: number): string {
  const span = Math.max(0, ms);
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`;
  if (span < DAY) return `${Math.floor(span / HOUR)} h`;
  if (span < 2 * YEAR) return `${Math.floor(span / DAY)} d`;
  return `${Math.floor(span / YEAR)} y`;
}

/** How long ago, short: "now", "38 s". */
export function formatAge(ms: number): string {
  return ms < SECOND ? 'now' : formatSpan(ms);
}

/** How long ago, in a sentence: "just now", "38 s ago". */
export function formatAgo(ms: number): string {
  return ms < SECOND ? 'just now' : `${formatSpan(ms)} ago`;
}

/** A span of whole seconds in words a person would set: 86400 -> "24 h", 90 -> "1 min 30 s". */
export function formatSeconds(seconds: number): string {
  const units: [number, string][] = [
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  if (seconds >= 48 * 3600 && seconds % 86400 === 0) return `${seconds / 86400} d`;
  const words: string[] = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [size, unit] of units) {
    if (rest >= size) words.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return words.length === 0 ? '0 s' : words.join(' ');
}

/** What is left of a deadline as a clock: "23:59:58", with days before it when there are any. */
export function formatCountdown(ms: number): string {
  const total = Math.max(0, Math.floor(ms / SECOND));
  const of = (n: number) => String(n).padStart(2, '0');
  const days = Math.floor(total / 86400);
  const clock = `${of(Math.floor((total % 86400) / 3600))}:${of(Math.floor((total % 3600) / 60))}:${of(total % 60)}`;
  return days > 0 ? `${days} d ${clock}` : clock;
}

const MOMENT = /^(?:(\d{4}-\d{2}-\d{2})(?:[T ]|$))?(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)?(Z|[+-]\d{2}:\d{2})?$/;

/**
 * Reads what a person types to say a moment: "12:04", "12:04:26.5" (today), "2026-11-21",
 * "2026-11-21 12:04", an RFC 3339 time, or unix milliseconds. Null when it is none of them.
 */
export function parseMoment(text: string, zone: Zone, now: number): number | null {
  const typed = text.trim();
  if (/^\d{11,}$/.test(typed)) return Number(typed);
  const match = MOMENT.exec(typed);
  if (match === null || (match[1] === undefined && match[2] === undefined)) return null;
  const date = match[1] ?? parts(now, zone).date;
  // A browser reads February 30 as March 2.
  if (new Date(`${date}T00:00Z`).getUTCDate() !== Number(date.slice(-2))) return null;
  const clock = match[2] === undefined ? '00:00' : match[2].replace(/^(\d):/, '0$1:');
  const suffix = match[3] ?? (zone === 'utc' ? 'Z' : '');
  const ms = new Date(`${date}T${clock}${suffix}`).getTime();
  return Number.isNaN(ms) ? null : ms;
}
