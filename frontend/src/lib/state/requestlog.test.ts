import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RequestLog } from './requestlog.svelte';

/** A server whose journal has so many requests, the latest with the highest id. */
let journal: number;
let last: number;

beforeEach(() => {
  vi.useFakeTimers();
  journal = 1;
  last = 0;
  vi.stubGlobal('fetch', async (url: string) => {
    const query = new URL(url, 'http://h').searchParams;
    const after = Number(query.get('after'));
    const before = Number(query.get('before')) || last + 1;
    const ids = Array.from({ length: last }, (_, i) => last - i).filter((id) => id > after && id < before);
    const requests = ids.slice(0, Number(query.get('limit'))).map((id) => ({ id, target: `/${journal}/${id}` }));
    return Response.json({ journal, last, matched: last, within: ids.length, requests });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The journal has so many requests now, and the log has looked. */
async function grow(log: RequestLog, to: number): Promise<void> {
  last = to;
  log.refresh();
  await vi.runAllTimersAsync();
}

const targets = (log: RequestLog) => log.rows.map((row) => row.target);

describe('RequestLog', () => {
  it('begins anew with a journal that counts from 1 again', async () => {
    const log = new RequestLog(null, {});
    await grow(log, 3);
    expect(targets(log)).toEqual(['/1/3', '/1/2', '/1/1']);
    journal = 2;
    await grow(log, 5);
    expect(targets(log)).toEqual(['/2/5', '/2/4', '/2/3', '/2/2', '/2/1']);
    journal = 3;
    await grow(log, 1);
    expect(targets(log)).toEqual(['/3/1']);
    await grow(log, 2);
    expect(targets(log)).toEqual(['/3/2', '/3/1']);
    log.dispose();
  });

  it('does not put older requests of a new journal below those of the one before', async () => {
    const log = new RequestLog(null, {});
    await grow(log, 250);
    journal = 2;
    log.look(199);
    await vi.runAllTimersAsync();
    expect(targets(log).every((target) => target.startsWith('/1/'))).toBe(true);
    log.dispose();
  });

  it('counts all that is new, also more than one answer has', async () => {
    const log = new RequestLog(null, {});
    await grow(log, 10);
    log.pause();
    await grow(log, 1_610);
    expect(log.unseen).toBe(1_600);
    expect(log.rows.length).toBe(10);
    log.follow();
    await vi.runAllTimersAsync();
    expect([log.unseen, log.rows[0]?.id]).toEqual([0, 1_610]);
    log.dispose();
  });
});
