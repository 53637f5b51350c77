import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listMessages } from '$lib/api/streams';
import { MessageLog } from './messagelog.svelte';

/** A server with so many messages; answers in the order it is asked. */
let total: number;
let asked: [from: number, limit: number][];
let fail: boolean;

beforeEach(() => {
  total = 0;
  asked = [];
  fail = false;
  vi.stubGlobal('fetch', async (url: string, { signal }: RequestInit) => {
    const query = new URL(url, 'http://h').searchParams;
    const from = Number(query.get('from'));
    const limit = Number(query.get('limit'));
    asked.push([from, limit]);
    await Promise.resolve();
    signal?.throwIfAborted();
    if (fail) return Response.json({ detail: 'It broke.' }, { status: 500 });
    const messages = Array.from({ length: Math.min(limit, total - from) }, (_, i) => ({ ordinal: from + i }));
    return Response.json({ from, total, messages });
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

function logOf(messages: number): MessageLog {
  total = messages;
  const log = new MessageLog(async (from, count, signal) => (await listMessages('a', from, count, signal)).messages);
  log.grow(messages);
  return log;
}

describe('MessageLog', () => {
  it('fetches what is looked at, in pages', async () => {
    const log = logOf(2_000_000);
    log.look(1_234_560, 1_234_610);
    await vi.waitFor(() => expect(log.row(1_234_605)?.ordinal).toBe(1_234_605));
    expect(asked).toEqual([
      [1_234_500, 100],
      [1_234_600, 100],
    ]);
    log.dispose();
  });

  it('asks again at once for a page that was let go', async () => {
    const log = logOf(10_000);
    log.look(5_000, 5_000);
    log.look(0, 30);
    log.look(5_000, 5_030);
    await vi.waitFor(() => expect(log.row(5_000)?.ordinal).toBe(5_000));
    log.dispose();
  });

  it('keeps a bounded number of pages', async () => {
    const log = logOf(100_000);
    for (let page = 0; page < 100; page++) {
      log.look(page * 100, page * 100 + 30);
      await vi.waitFor(() => expect(log.row(page * 100)).toBeDefined(), { interval: 1 });
    }
    const kept = Array.from({ length: 100 }, (_, page) => log.row(page * 100)).filter((row) => row !== undefined);
    expect(kept.length).toBeLessThanOrEqual(24);
    expect(log.row(99 * 100)).toBeDefined();
    log.dispose();
  });

  it('lets on new messages while following only when they are there', async () => {
    const log = logOf(150);
    log.follow();
    total = 160;
    log.grow(160);
    expect(log.shown).toBe(150);
    await vi.waitFor(() => expect(log.shown).toBe(160));
    expect(log.row(159)?.ordinal).toBe(159);
    log.dispose();
  });

  it('fetches only what a page lacks', async () => {
    const log = logOf(150);
    log.look(100, 149);
    await vi.waitFor(() => expect(log.row(149)).toBeDefined());
    log.follow();
    total = 155;
    log.grow(155);
    await vi.waitFor(() => expect(log.shown).toBe(155));
    expect(asked.at(-1)).toEqual([150, 5]);
    log.dispose();
  });

  it('stands still when paused, and goes on where it stopped', async () => {
    const log = logOf(10);
    log.follow();
    log.pause();
    total = 25;
    log.grow(25);
    expect([log.shown, log.unseen]).toEqual([10, 15]);
    log.takeIn();
    expect([log.shown, log.unseen, log.following]).toEqual([25, 0, false]);
    log.dispose();
  });

  it('does not shrink when an older count comes late', () => {
    const log = logOf(20);
    log.grow(19);
    expect([log.live, log.shown]).toEqual([20, 20]);
    log.dispose();
  });

  it('says why rows are missing, and fetches them when asked again', async () => {
    const log = logOf(10);
    fail = true;
    log.look(0, 9);
    await vi.waitFor(() => expect(log.error).toBe('It broke.'));
    fail = false;
    log.retry();
    await vi.waitFor(() => expect(log.row(9)).toBeDefined());
    expect(log.error).toBeNull();
    log.dispose();
  });
});
