import { describe, expect, it } from 'vitest';
import {
  formatAge,
  formatAgo,
  formatClock,
  formatCountdown,
  formatFull,
  formatLong,
  formatSeconds,
  formatShort,
  formatSpan,
  parseMoment,
} from './time';

const NOON = Date.UTC(2026, 10, 23, 12, 4, 26, 288);
const BEFORE = Date.UTC(2026, 10, 21, 8, 0, 0, 7);

describe('moments', () => {
  it('keeps milliseconds and says the day only when it is another', () => {
    expect(formatClock(NOON, 'utc')).toBe('12:04:26.288');
    expect(formatShort(NOON, 'utc', NOON)).toBe('12:04:26.288');
    expect(formatShort(BEFORE, 'utc', NOON)).toBe('11-21 08:00:00.007');
    expect(formatLong(NOON, 'utc', NOON)).toBe('Today 12:04:26.288');
    expect(formatLong(BEFORE, 'utc', NOON)).toBe('2026-11-21 08:00:00.007');
    expect(formatFull(NOON, 'utc')).toBe('2026-11-23 12:04:26.288 UTC');
  });

  it('speaks local time with its offset', () => {
    const local = new Date(2026, 5, 1, 9, 30, 15, 4).getTime();
    expect(formatClock(local, 'local')).toBe('09:30:15.004');
    expect(formatFull(local, 'local')).toMatch(/^2026-06-01 09:30:15\.004 UTC[+-]\d\d:\d\d$/);
  });
});

describe('spans', () => {
  it('uses the largest unit', () => {
    const spans = [0, 999, 38_000, 7 * 60_000, 4 * 3_600_000, 6 * 86_400_000];
    expect(spans.map(formatSpan)).toEqual(['0 s', '0 s', '38 s', '7 min', '4 h', '6 d']);
    const days = (n: number) => formatSpan(n * 86_400_000);
    expect([730, 731, 104_160, 2_912_100].map(days)).toEqual(['730 d', '2 y', '285 y', '7973 y']);
    expect([-5, 999, 1000].map(formatAge)).toEqual(['now', 'now', '1 s']);
    expect([0, 61_000].map(formatAgo)).toEqual(['just now', '1 min ago']);
  });

  it('counts down, and puts seconds into words', () => {
    expect([86_399_000, 90_061_000].map(formatCountdown)).toEqual(['23:59:59', '1 d 01:01:01']);
    expect([0, 90, 86_400, 172_800, 3601].map(formatSeconds)).toEqual(['0 s', '1 min 30 s', '24 h', '2 d', '1 h 1 s']);
  });
});

describe('parseMoment', () => {
  it.each([
    ['12:04', Date.UTC(2026, 10, 23, 12, 4)],
    ['9:04:05.5', Date.UTC(2026, 10, 23, 9, 4, 5, 500)],
    ['2026-11-21', Date.UTC(2026, 10, 21)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
    ['2026-11-21 08:00', Date.UTC(2026, 10, 21, 8)],
    ['2026-11-21T08:00:00.007Z', BEFORE],
    ['2026-11-21T09:00:00.007+01:00', BEFORE],
    [String(BEFORE), BEFORE],
  ])('reads %s', (text, ms) => expect(parseMoment(text, 'utc', NOON)).toBe(ms));

  it.each(['', 'noon', '25', '2026-13-01', '2026-02-30', '2027-02-29 12:00', '12:61'])('refuses %j', (text) =>
    expect(parseMoment(text, 'utc', NOON)).toBeNull(),
  );

  it('reads local time as local', () => {
    const local = new Date(2026, 5, 1, 9, 30).getTime();
    expect(parseMoment('2026-06-01 09:30', 'local', NOON)).toBe(local);
  });
});
