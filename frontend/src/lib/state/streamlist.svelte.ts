import { isAbort, reason } from '$lib/api/errors';
import { listStreams } from '$lib/api/streams';
import type { Facets, Stream, StreamChanges, StreamPage } from '$lib/api/types';
import { matchesFilter } from '$lib/format/match';
import { StreamPages } from './streampages.svelte';

/** Up to so many streams are held whole, and make a tree; of more only what is on screen is read. */
export const WHOLE = 2000;
const PAGE = 1000;
const RECOUNT_MS = 1000;

export type SortKey = 'path' | 'messages' | 'bytes' | 'last';

export interface ListQuery {
  filter: string;
  kind: string;
  state: string;
  system: boolean;
  sort: SortKey;
  desc: boolean;
}

/**
 * The streams that pass a filter. A list that is held whole works live changes in by itself; of a
 * long one the rows on screen are kept fresh. Only counts and places are asked for, at most once a
 * second.
 */
export class StreamList {
  /** All of them, sorted, when the list is held whole. */
  streams = $state.raw<Stream[]>([]);
  /** What is on screen, when it is not. */
  pages = $state.raw<StreamPages | null>(null);
  matched = $state(0);
  total = $state(0);
  facets = $state.raw<Facets | null>(null);
  loaded = $state(false);
  error = $state<string | null>(null);

  #query: ListQuery = { filter: '', kind: '', state: '', system: false, sort: 'path', desc: false };
  #reading: AbortController | null = null;
  #recount: ReturnType<typeof setTimeout> | undefined;
  #countedAt = 0;

  /** Shows what passes this query. */
  async show(query: ListQuery): Promise<void> {
    this.#query = query;
    await this.reload();
  }

  find(path: string): Stream | undefined {
    return this.pages === null ? this.streams.find((s) => s.path === path) : this.pages.find(path)?.stream;
  }

  /** Reads it again. */
  async reload(): Promise<void> {
    this.#reading?.abort();
    const controller = new AbortController();
    this.#reading = controller;
    const { signal } = controller;
    try {
      const first = await this.#page(0, PAGE, signal);
      this.#count(first);
      if (first.matched > WHOLE) {
        if (this.pages === null)
          this.pages = new StreamPages(async (from, limit, s) => (await this.#page(from, limit, s)).streams);
        await this.pages.refresh();
        this.streams = [];
      } else {
        const streams = first.streams;
        while (streams.length < first.matched) {
          const more = await this.#page(streams.length, PAGE, signal);
          if (more.streams.length === 0) break;
          streams.push(...more.streams);
        }
        this.#leavePages();
        this.streams = streams;
      }
      this.loaded = true;
      this.error = null;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    } finally {
      if (this.#reading === controller) this.#reading = null;
    }
  }

  /** Says which rows of a long list are on screen. */
  async look(first: number, last: number): Promise<void> {
    try {
      await this.pages?.look(first, last);
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    }
  }

  apply({ changed, removed, refresh }: StreamChanges): void {
    if (!this.loaded) return;
    if (refresh) {
      this.#countSoon(true);
      return;
    }
    if (this.pages !== null) {
      this.pages.patch(new Map(changed.map((stream) => [stream.path, stream])));
      const moves = this.#query.sort !== 'path' && changed.length > 0;
      if (
        moves ||
        removed.length > 0 ||
        changed.some(({ path, messages }) => messages === 0 || this.find(path) === undefined)
      ) {
        this.#countSoon(true);
      }
      return;
    }
    const byPath = new Map(this.streams.map((stream) => [stream.path, stream]));
    let counts = false;
    let order = this.#query.sort !== 'path';
    for (const path of removed) {
      if (byPath.delete(path)) order = true;
      counts = true;
    }
    for (const stream of changed) {
      const before = byPath.get(stream.path);
      if (before === undefined || shape(before) !== shape(stream)) counts = true;
      if (this.#passes(stream)) {
        order ||= before === undefined;
        byPath.set(stream.path, stream);
      } else if (before !== undefined) {
        byPath.delete(stream.path);
        order = true;
      }
    }
    const next = [...byPath.values()];
    this.streams = order ? next.sort((a, b) => this.#compare(a, b)) : next;
    if (next.length > WHOLE) this.#countSoon(true);
    else if (counts) this.#countSoon(false);
  }

  dispose(): void {
    this.#reading?.abort();
    this.#leavePages();
    clearTimeout(this.#recount);
  }

  #leavePages(): void {
    this.pages?.dispose();
    this.pages = null;
  }

  #page(from: number, limit: number, signal?: AbortSignal): Promise<StreamPage> {
    return listStreams({ ...this.#query, from, limit }, signal);
  }

  #compare(a: Stream, b: Stream): number {
    const { sort, desc } = this.#query;
    const key = (stream: Stream) =>
      sort === 'messages' ? stream.messages : sort === 'bytes' ? stream.bytes : (stream.last_append_at ?? 0);
    const byKey = sort === 'path' ? 0 : key(a) - key(b);
    const byPath = a.path < b.path ? -1 : 1;
    if (byKey !== 0) return desc ? -byKey : byKey;
    return sort === 'path' && desc ? -byPath : byPath;
  }

  #passes(stream: Stream): boolean {
    const { filter, kind, state, system } = this.#query;
    if (stream.system && !system) return false;
    if (kind !== '' && stream.kind !== kind) return false;
    if (state === 'open' && (stream.closed || stream.deleted)) return false;
    if (state === 'closed' && (!stream.closed || stream.deleted)) return false;
    if (state === 'fork' && stream.fork_of === null) return false;
    if (state === 'deleted' && !stream.deleted) return false;
    return matchesFilter(stream.path, filter);
  }

  /** Asks for the counts, or for everything: at once when it was long ago, else when a second is over. */
  #countSoon(everything: boolean): void {
    this.#everything ||= everything;
    this.#recount ??= setTimeout(
      () => {
        this.#recount = undefined;
        this.#countedAt = Date.now();
        const all = this.#everything;
        this.#everything = false;
        if (all) void this.reload();
        else {
          this.#page(0, 1).then(
            (page) => this.#count(page),
            () => {
              // Without an answer the counts stay; the list is read again when the server is back.
            },
          );
        }
      },
      this.#countedAt + RECOUNT_MS - Date.now(),
    );
  }

  #everything = false;

  #count(page: { matched: number; total: number; facets: Facets }): void {
    this.matched = page.matched;
    this.total = page.total;
    this.facets = page.facets;
  }
}

/** What of a stream the facets count. */
function shape(stream: Stream): string {
  return `${stream.kind} ${stream.closed} ${stream.deleted} ${stream.fork_of !== null}`;
}
