import { describe, expect, it } from 'vitest';
import type { LiveReader } from '$lib/api/types';
import { lagTone, lagWords, who } from './lag';

const reader = (part: Partial<LiveReader>): LiveReader => ({
  id: 1,
  stream: 'a',
  mode: 'sse',
  offset: '',
  from: '',
  tail: '',
  messages: 0,
  bytes: 0,
  seconds: 0,
  stuck: 0,
  began: 0,
  sent: 0,
  events: 0,
  remote: '127.0.0.1:1',
  agent: '',
  process: null,
  ...part,
});

describe('lag', () => {
  it.each([
    [{ messages: 0, seconds: 0 }, '', 'at tail'],
    [{ messages: 3, seconds: 0.31 }, '', '0.3 s'],
    [{ messages: 3, seconds: 1.9 }, 'slow', '1.9 s'],
    [{ messages: 3, seconds: 41 }, 'far', '41 s'],
  ])('%o', (part, tone, words) => {
    expect([lagTone(reader(part)), lagWords(reader(part))]).toEqual([tone, words]);
  });
});

describe('who', () => {
  it.each([
    [{ process: { pid: 7, name: 'node' }, agent: 'x/1' }, 'node'],
    [{ agent: 'curl/8.5' }, 'curl'],
    [{ agent: 'Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36' }, 'Chrome'],
    [{ agent: 'Mozilla/5.0 (X11; rv:120.0) Gecko/20100101 Firefox/120.0' }, 'Firefox'],
    [{ agent: '' }, '127.0.0.1:1'],
  ])('%o', (part, want) => {
    expect(who(reader(part))).toBe(want);
  });
});
