import { listReaders } from '$lib/api/requests';
import type { LiveReader, ReaderPage, ReaderQuery } from '$lib/api/types';
import { Fresh } from './fresh.svelte';

/** How many seconds of a reader's lag are remembered here. */
export const HISTORY = 60;
const EVERY_MS = 1000;

interface Past {
  at: number;
  sent: number;
  rate: number;
  lags: number[];
}

/** The open live readers, read again every second, with what they did in the last minute. */
export class ReaderLog {
  readonly #list: Fresh<ReaderPage>;
  #past = $state.raw(new Map<number, Past>());

  constructor(query: ReaderQuery) {
    this.#list = new Fresh(async (signal) => {
      const page = await listReaders(query, signal);
      this.#remember(page);
      return page;
    });
  }

  get page(): ReaderPage | null {
    return this.#list.value;
  }

  get error(): string | null {
    return this.#list.error;
  }

  /** Bytes a second, as far as is known. */
  rate(reader: LiveReader): number {
    return this.#past.get(reader.id)?.rate ?? 0;
  }

  /** Messages behind, in each of the last seconds. */
  lags(reader: LiveReader): number[] {
    return this.#past.get(reader.id)?.lags ?? [];
  }

  start(): () => void {
    return this.#list.start(EVERY_MS);
  }

  refresh(): void {
    void this.#list.read();
  }

  #remember(page: ReaderPage): void {
    const next = new Map<number, Past>();
    for (const { id, sent, messages } of page.readers) {
      const before = this.#past.get(id);
      const seconds = before === undefined ? 0 : (page.at - before.at) / 1000;
      const rate = before === undefined || seconds <= 0 ? 0 : (sent - before.sent) / seconds;
      const lags = [...(before?.lags ?? []), messages].slice(-HISTORY);
      next.set(id, { at: page.at, sent, rate, lags });
    }
    this.#past = next;
  }
}
