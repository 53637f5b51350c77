import { isAbort, reason } from '$lib/api/errors';
import { listRequests } from '$lib/api/requests';
import type { Request, RequestPage, RequestQuery } from '$lib/api/types';

const PAGE = 200;
const MOST_AT_ONCE = 1000;
/** Rows beyond go from the far end; they are read again when somebody scrolls there. */
const MOST_ROWS = 5000;
const EVERY_MS = 500;

export type RequestFilter = Pick<RequestQuery, 'rejected' | 'method' | 'status' | 'decision' | 'text'>;

/**
 * Requests, the newest first. It follows the journal while nobody looks further down; otherwise
 * the rows stay where they are, and what is new is counted.
 */
export class RequestLog {
  rows = $state.raw<Request[]>([]);
  page = $state.raw<RequestPage | null>(null);
  following = $state(true);
  unseen = $state(0);
  error = $state<string | null>(null);

  readonly #stream: string | null;
  readonly #filter: RequestFilter;
  #controller = new AbortController();
  #reading = false;
  #again = false;
  #more = false;
  #readAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: string | null, filter: RequestFilter) {
    this.#stream = stream;
    this.#filter = filter;
  }

  /** The journal has grown, or may have: looks, at most twice a second. */
  refresh(): void {
    const wait = this.#readAt + EVERY_MS - Date.now();
    if (wait <= 0) void this.#read();
    else this.#timer ??= setTimeout(() => void this.#read(), wait);
  }

  /** Shows what is new, and follows again. */
  follow(): void {
    this.following = true;
    this.unseen = 0;
    void this.#read();
  }

  pause(): void {
    this.following = false;
  }

  /** Reads older rows when the last one is near. */
  look(last: number): void {
    if (last < this.rows.length - PAGE / 2 || this.#more || !this.#older()) return;
    this.#more = true;
    void this.#ask({ before: this.rows.at(-1)?.id, limit: PAGE })
      .then((page) => {
        if (page === null || page.journal !== this.page?.journal) return;
        this.rows = [...this.rows, ...page.requests];
        if (page.requests.length === 0) this.#end = true;
      })
      .finally(() => (this.#more = false));
  }

  #end = false;

  #older(): boolean {
    return !this.#end && this.rows.length > 0 && this.rows.length < (this.page?.matched ?? 0);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    this.#readAt = Date.now();
    const newest = this.rows[0]?.id ?? 0;
    const page = await this.#ask(newest === 0 ? { limit: PAGE } : { after: newest, limit: MOST_AT_ONCE });
    this.#reading = false;
    if (page !== null) this.#take(page, newest);
    if (this.#again) {
      this.#again = false;
      this.refresh();
    }
  }

  #take(page: RequestPage, newest: number): void {
    // The server has started anew: what is shown is of a journal that is no more, and had the same ids.
    if (newest > 0 && page.journal !== this.page?.journal) {
      this.page = null;
      this.rows = [];
      this.unseen = 0;
      this.#end = false;
      void this.#read();
      return;
    }
    this.page = page;
    if (this.following || newest === 0) {
      const whole = page.requests.length < MOST_AT_ONCE;
      this.rows = whole ? [...page.requests, ...this.rows].slice(0, MOST_ROWS) : page.requests;
      if (!whole || this.rows.length === MOST_ROWS) this.#end = false;
      this.unseen = 0;
    } else {
      this.unseen = page.within;
    }
  }

  async #ask(bounds: RequestQuery): Promise<RequestPage | null> {
    try {
      const query = { stream: this.#stream ?? undefined, ...this.#filter, ...bounds };
      const page = await listRequests(query, this.#controller.signal);
      this.error = null;
      return page;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
      return null;
    }
  }
}
