import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Stream, Tail } from '$lib/api/types';
import { identityOf, OpenStream } from './stream.svelte';

/** The stream as the server has it; null: it has none. */
let there: Stream | null;

const made = (created_at: number) =>
  ({ path: 'a', created_at, messages: 3, bytes: 9, tail: '0_3', closed: false, deleted: false, forks: 0 }) as Stream;
const event = { type: 'tail', path: 'a', messages: 3, bytes: 9, tail: '0_3', closed: false, deleted: false } as Tail;
const nothing: Tail = { ...event, messages: 0, bytes: 0, tail: '', deleted: true };

beforeEach(() => {
  there = made(1);
  vi.stubGlobal('fetch', async () => {
    if (there === null) return Response.json({ detail: 'There is none.' }, { status: 404 });
    return Response.json(there);
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('OpenStream', () => {
  it('is there when a tail tells so after one that tells of a deletion', async () => {
    const open = new OpenStream('a');
    await open.load();
    there = made(2);
    open.apply({ type: 'streams', changed: [there], removed: [], refresh: false });
    open.applyTail(nothing); // of the moment between both, and late
    expect(open.gone).toBe(true);
    open.applyTail(event);
    await vi.waitFor(() => expect(open.gone).toBe(false));
    expect(open.stream?.created_at).toBe(2);
    open.dispose();
  });

  it('reads a stream that was made anew, also when only its tail tells', async () => {
    const open = new OpenStream('a');
    await open.load();
    open.applyTail(nothing);
    there = made(2);
    open.applyTail(event);
    await vi.waitFor(() => expect(open.stream?.created_at).toBe(2));
    expect(open.gone).toBe(false);
    open.dispose();
  });

  it('takes a stream that was restored for another one', async () => {
    const open = new OpenStream('a');
    await open.load();
    open.apply({ type: 'streams', changed: [], removed: ['a'], refresh: false });
    there = { ...made(1), messages: 2, tail: '1_2' };
    open.apply({ type: 'streams', changed: [there], removed: [], refresh: false });
    expect([open.gone, open.stream?.messages, open.stream?.tail]).toEqual([false, 2, '1_2']);
    there = { ...made(1), messages: 4, tail: '2_4' };
    open.applyTail({ ...event, messages: 4, tail: '2_4' });
    await vi.waitFor(() => expect(identityOf(open.stream!)).toBe('1 2'));
    open.dispose();
  });

  it('stays gone when the server has none', async () => {
    const open = new OpenStream('a');
    await open.load();
    there = null;
    open.apply({ type: 'streams', changed: [], removed: ['a'], refresh: false });
    open.applyTail(event); // of before, and late
    await open.load();
    expect(open.gone).toBe(true);
    open.dispose();
  });
});
