import { isAbort, reason } from '$lib/api/errors';
import { listStreams } from '$lib/api/streams';
import type { Facets, Stream, StreamChanges } from '$lib/api/types';
import { matchesFilter } from '$lib/format/match';

const PAGE = 500;
const LARGEST_PAGE = 1000;
const RECOUNT_MS = 1000;

export interface ListQuery {
  filter: string;
  kind: string;
  state: string;
  system: boolean;
}

/**
 * The streams that pass a filter, sorted by path, as far as they have been scrolled to. Live
 * changes are worked in without asking the server again; only the counts are asked for, at
 * most once a second.
 */
export class StreamList {
  streams = $state.raw<Stream[]>([]);
  matched = $state(0);
  total = $state(0);
  facets = $state.raw<Facets | null>(null);
  loaded = $state(false);
  error = $state<string | null>(null);

  #query: ListQuery = { filter: '', kind: '', state: '', system: false };
  #next: string | null = null;
  #reading: AbortController | null = null;
  #recount: ReturnType<typeof setTimeout> | undefined;
  #countedAt = 0;

  /** Shows what passes this query, from the start. */
  async show(query: ListQuery): Promise<void> {
    this.#query = query;
    await this.#read(1);
  }

  /** Reads what is on screen again. */
  async reload(): Promise<void> {
    await this.#read(this.streams.length);
  }

  /** Reads the next page when there is one. */
  async more(): Promise<void> {
    if (this.#next === null || this.#reading !== null) return;
    const after = this.#next;
    await this.#exclusive(async (signal) => {
      const page = await listStreams({ ...this.#query, after, limit: PAGE }, signal);
      this.streams = [...this.streams, ...page.streams];
      this.#next = page.next;
    });
  }

  apply({ changed, removed, refresh }: StreamChanges): void {
    if (!this.loaded) return;
    if (refresh) {
      void this.reload();
      return;
    }
    const byPath = new Map(this.streams.map((stream) => [stream.path, stream]));
    let counts = false;
    let order = false;
    for (const path of removed) {
      if (byPath.delete(path)) order = true;
      counts = true;
    }
    for (const stream of changed) {
      const before = byPath.get(stream.path);
      if (before === undefined || shape(before) !== shape(stream)) counts = true;
      if (this.#passes(stream) && (before !== undefined || this.#reached(stream.path))) {
        order ||= before === undefined;
        byPath.set(stream.path, stream);
      } else if (before !== undefined) {
        byPath.delete(stream.path);
        order = true;
      }
    }
    const next = [...byPath.values()];
    this.streams = order ? next.sort((a, b) => (a.path < b.path ? -1 : 1)) : next;
    if (counts) this.#countSoon();
  }

  dispose(): void {
    this.#reading?.abort();
    clearTimeout(this.#recount);
  }

  /** Reads from the start until at least `wanted` rows are there. */
  async #read(wanted: number): Promise<void> {
    this.#reading?.abort();
    this.#reading = null;
    await this.#exclusive(async (signal) => {
      const streams: Stream[] = [];
      let after: string | undefined;
      for (;;) {
        const limit = wanted > PAGE ? LARGEST_PAGE : PAGE;
        const page = await listStreams({ ...this.#query, after, limit }, signal);
        streams.push(...page.streams);
        after = page.next ?? undefined;
        if (after !== undefined && streams.length < wanted) continue;
        this.streams = streams;
        this.#next = page.next;
        this.#count(page);
        this.loaded = true;
        return;
      }
    });
  }

  async #exclusive(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    this.#reading = controller;
    try {
      await work(controller.signal);
      this.error = null;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    } finally {
      if (this.#reading === controller) this.#reading = null;
    }
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

  /** Whether a path falls into the part of the list that has been read. */
  #reached(path: string): boolean {
    return this.#next === null || path < (this.streams.at(-1)?.path ?? '');
  }

  /** Asks for the counts: at once when it was long ago, else when a second is over. */
  #countSoon(): void {
    this.#recount ??= setTimeout(
      () => {
        this.#recount = undefined;
        this.#countedAt = Date.now();
        listStreams({ ...this.#query, limit: 1 }).then(
          (page) => this.#count(page),
          () => {
            // Without an answer the counts stay; the list is read again when the server is back.
          },
        );
      },
      this.#countedAt + RECOUNT_MS - Date.now(),
    );
  }

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
