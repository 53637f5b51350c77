import { isAbort, reason } from '$lib/api/errors';
import { listProducers } from '$lib/api/streams';
import type { Producer, ProducerPage, ProducerQuery } from '$lib/api/types';

const EVERY_MS = 1000;

/** The producers of one stream that wrote last, read again at most once a second while it changes. */
export class ProducerList {
  readonly path: string;
  page = $state.raw<ProducerPage | null>(null);
  error = $state<string | null>(null);

  #query: ProducerQuery = {};
  #controller: AbortController | undefined;
  #readAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  get producers(): Producer[] {
    return this.page?.producers ?? [];
  }

  /** Says which to list; what is not here is read at once. */
  show(query: ProducerQuery): void {
    const { q, limit } = this.#query;
    this.#query = query;
    const here = !query.with || this.producers.some(({ id }) => id === query.with);
    if (q !== query.q || limit !== query.limit || !here) void this.#read();
  }

  refresh(): void {
    const wait = this.#readAt + EVERY_MS - Date.now();
    if (wait <= 0) void this.#read();
    else this.#timer ??= setTimeout(() => void this.#read(), wait);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#controller?.abort();
  }

  async #read(): Promise<void> {
    this.dispose();
    this.#timer = undefined;
    this.#readAt = Date.now();
    this.#controller = new AbortController();
    try {
      this.page = await listProducers(this.path, this.#query, this.#controller.signal);
      this.error = null;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    }
  }
}
