import { isAbort, reason } from '$lib/api/errors';
import { listStreams, listTree } from '$lib/api/streams';
import type { Facets, Found, Stream, StreamChanges, StreamCounts, StreamPage, TreePage } from '$lib/api/types';
import { matchesFilter } from '$lib/format/match';
import { StreamPages, type Entry } from './streampages.svelte';

/** Up to so many streams are held whole; of more only what is on screen is read, the folders of a tree as well. */
const WHOLE = 2000;
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
  /** Shown as a tree, in which these folders of a long list are open. */
  tree: boolean;
  open: readonly string[];
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
  /** How many rows that are. */
  rows = $state(0);
  matched = $state(0);
  total = $state(0);
  facets = $state.raw<Facets | null>(null);
  loaded = $state(false);
  error = $state<string | null>(null);

  #query: ListQuery = {
    filter: '',
    kind: '',
    state: '',
    system: false,
    sort: 'path',
    desc: false,
    tree: false,
    open: [],
  };
  #reading: AbortController | null = null;
  #recount: ReturnType<typeof setTimeout> | undefined;
  #countedAt = 0;

  /** The selected stream, and where it was in a long list; its row may not be here. */
  #picked = $state.raw<Found | null>(null);
  #pick = '';

  /** Shows what passes this query. */
  async show(query: ListQuery): Promise<void> {
    this.#query = query;
    await this.reload();
  }

  find(path: string): Stream | undefined {
    if (this.pages === null) return this.streams.find((s) => s.path === path);
    return this.pages.find(path)?.stream ?? (this.#picked?.stream.path === path ? this.#picked.stream : undefined);
  }

  /** The row of a stream in a long list, -1 when that is not known. */
  indexOf(path: string): number {
    const here = this.pages?.find(path);
    if (here !== undefined) return here.index;
    return this.#picked?.stream.path === path ? this.#picked.index : -1;
  }

  /** Says which stream is selected: it stays known wherever its row is. */
  pick(path: string): void {
    this.#pick = path;
    if (this.pages === null) return;
    const here = this.pages.find(path);
    if (here !== undefined) this.#picked = here;
    else if (path !== '' && this.#picked?.stream.path !== path) void this.reload();
  }

  /** Reads it again. */
  async reload(): Promise<void> {
    this.#reading?.abort();
    const controller = new AbortController();
    this.#reading = controller;
    const { signal } = controller;
    try {
      if (this.pages !== null && (await this.#refresh(this.pages, signal))) return;
      const first = await this.#page(0, PAGE, signal);
      this.#count(first);
      if (first.matched > WHOLE) {
        const pages = new StreamPages((from, limit, s) => this.#entries(from, limit, s));
        await this.#refresh(pages, signal);
        this.pages = pages;
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
      this.error = null;
      this.loaded = true;
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
      const rows = new Map(changed.map((stream) => [stream.path, stream]));
      this.pages.patch(rows);
      const picked = this.#picked?.stream.path ?? '';
      const now = rows.get(picked);
      if (removed.includes(picked)) this.#picked = null;
      else if (this.#picked !== null && now !== undefined) this.#picked = { ...this.#picked, stream: now };
      // Sums of folders follow what is appended, as places in other orders do.
      const moves = (this.#query.sort !== 'path' || this.#asTree) && changed.length > 0;
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

  /** Reads a long list again; false: it has become short. */
  async #refresh(pages: StreamPages, signal: AbortSignal): Promise<boolean> {
    const find = this.#pick;
    const head = await (this.#asTree ? this.#tree(0, 1, signal, find) : this.#page(0, 1, signal, find));
    this.#count(head);
    if (head.matched <= WHOLE) return false;
    await pages.refresh();
    if (find === this.#pick) this.#picked = head.found;
    this.error = null;
    return true;
  }

  get #asTree(): boolean {
    const { tree, sort, desc } = this.#query;
    return tree && sort === 'path' && !desc;
  }

  async #entries(from: number, limit: number, signal: AbortSignal): Promise<Entry[]> {
    if (this.#asTree) {
      const { rows, count } = await this.#tree(from, limit, signal);
      this.rows = count;
      return rows;
    }
    const { streams, matched } = await this.#page(from, limit, signal);
    this.rows = matched;
    return streams.map((stream) => ({ level: 0, parent: -1, around: '', stream, folder: null }));
  }

  #page(from: number, limit: number, signal?: AbortSignal, find?: string): Promise<StreamPage> {
    const { filter, kind, state, system, sort, desc } = this.#query;
    return listStreams({ filter, kind, state, system, sort, desc, from, limit, find }, signal);
  }

  #tree(from: number, limit: number, signal: AbortSignal, find?: string): Promise<TreePage> {
    const { filter, kind, state, system, open } = this.#query;
    return listTree({ filter, kind, state, system, open, from, limit, find }, signal);
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

  #count(page: StreamCounts): void {
    this.matched = page.matched;
    this.total = page.total;
    this.facets = page.facets;
  }
}

/** What of a stream the facets count. */
function shape(stream: Stream): string {
  return `${stream.kind} ${stream.closed} ${stream.deleted} ${stream.fork_of !== null}`;
}
