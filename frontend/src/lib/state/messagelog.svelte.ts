import { isAbort, reason } from '$lib/api/errors';
import type { Message } from '$lib/api/types';

const PAGE = 100;
/** Pages kept in memory, whatever the length of the stream. */
const KEPT = 24;

/** Reads rows of a list, which only ever grows at its end. */
export type ReadRows = (from: number, count: number, signal: AbortSignal) => Promise<Message[]>;

/**
 * A list of messages: a stream by ordinal, or what a filter found in it. Rows come in pages, fetched
 * as they are looked at and forgotten when others are. `live` is how many there are, `shown` how many the
 * list lets on: while following, the list grows only when the new rows are there; paused, it stays.
 */
export class MessageLog {
  live = $state(0);
  shown = $state(0);
  following = $state(false);
  loaded = $state(false);
  error = $state<string | null>(null);

  #read: ReadRows;
  #pages = new Map<number, Message[]>();
  #version = $state(0);
  #wanted: [number, number] = [0, -1];
  #fetching = new Map<number, { controller: AbortController; done: Promise<void> }>();
  /** The pages that following needs, whatever is on screen. */
  #pinned: [number, number] | null = null;
  #disposed = false;

  constructor(read: ReadRows) {
    this.#read = read;
  }

  /** Messages that came while the list stood still. */
  get unseen(): number {
    return Math.max(0, this.live - this.shown);
  }

  /** The row at an index, when its page is in memory. */
  row(index: number): Message | undefined {
    void this.#version;
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Says that there are so many messages now. */
  grow(messages: number): void {
    this.live = Math.max(this.live, messages);
    if (!this.loaded) this.shown = this.live;
    this.loaded = true;
    if (this.following) void this.#advance();
  }

  /** Says which rows are on screen. */
  look(first: number, last: number): void {
    this.#wanted = [Math.floor(Math.max(0, first) / PAGE), Math.floor(Math.max(0, last) / PAGE)];
    for (const [page, { controller }] of this.#fetching) {
      if (!this.#wants(page)) controller.abort();
    }
    this.#fill();
  }

  follow(): void {
    this.following = true;
    void this.#advance();
  }

  pause(): void {
    this.following = false;
  }

  /** Lets on what is new without following: reading goes on where it stopped. */
  takeIn(): void {
    this.shown = this.live;
  }

  retry(): void {
    this.error = null;
    if (this.following) void this.#advance();
    this.#fill();
  }

  dispose(): void {
    this.#disposed = true;
    for (const { controller } of this.#fetching.values()) controller.abort();
  }

  #wants(page: number): boolean {
    return within(page, this.#wanted) || (this.#pinned !== null && within(page, this.#pinned));
  }

  /** How many rows a page should have by now. */
  #due(page: number): number {
    return Math.min(PAGE, this.live - page * PAGE);
  }

  #lacks(page: number): boolean {
    return (this.#pages.get(page)?.length ?? 0) < Math.min(this.#due(page), this.shown - page * PAGE);
  }

  #fill(): void {
    if (this.error !== null || this.#disposed) return;
    for (let page = this.#wanted[0]; page <= this.#wanted[1]; page++) {
      if (this.#lacks(page)) void this.#fetch(page);
    }
  }

  /** Fetches until the tail is in memory, then shows it; again while more has come. */
  async #advance(): Promise<void> {
    if (this.#pinned !== null) return;
    while (this.following && this.shown < this.live && this.error === null && !this.#disposed) {
      const to = this.live;
      const last = Math.floor((to - 1) / PAGE);
      const first = Math.max(Math.floor(this.shown / PAGE), last - 1);
      this.#pinned = [first, last];
      for (let page = first; page <= last; page++) await this.#fetch(page);
      const arrived = last * PAGE + (this.#pages.get(last)?.length ?? 0);
      if (arrived < to) break;
      if (this.following && this.live >= to) this.shown = to;
    }
    this.#pinned = null;
  }

  #fetch(page: number): Promise<void> {
    const running = this.#fetching.get(page);
    if (running !== undefined && !running.controller.signal.aborted) return running.done;
    const have = this.#pages.get(page) ?? [];
    const lacking = this.#due(page) - have.length;
    if (lacking <= 0) return Promise.resolve();
    const controller = new AbortController();
    const done = this.#load(page, have, lacking, controller);
    this.#fetching.set(page, { controller, done });
    return done;
  }

  async #load(page: number, have: Message[], lacking: number, controller: AbortController): Promise<void> {
    const { signal } = controller;
    let more = false;
    try {
      const rows = await this.#read(page * PAGE + have.length, lacking, signal);
      if (signal.aborted) return;
      this.#keep(page, [...have, ...rows]);
      more = rows.length > 0;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    } finally {
      // Who came after one that was aborted has an entry of its own.
      if (this.#fetching.get(page)?.controller === controller) this.#fetching.delete(page);
    }
    if (more) this.#fill();
  }

  #keep(page: number, rows: Message[]): void {
    this.#pages.delete(page);
    this.#pages.set(page, rows);
    for (const old of this.#pages.keys()) {
      if (this.#pages.size <= KEPT) break;
      if (!this.#wants(old)) this.#pages.delete(old);
    }
    this.#version++;
  }
}

function within(page: number, [first, last]: [number, number]): boolean {
  return page >= first && page <= last;
}
