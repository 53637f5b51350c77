import { isAbort, reason } from '$lib/api/errors';
import { listProducers } from '$lib/api/streams';
import type { Producer } from '$lib/api/types';

const EVERY_MS = 1000;

/** The producers of one stream, read again at most once a second while it changes. */
export class ProducerList {
  readonly path: string;
  producers = $state.raw<Producer[]>([]);
  loaded = $state(false);
  error = $state<string | null>(null);

  #controller = new AbortController();
  #readAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  refresh(): void {
    const wait = this.#readAt + EVERY_MS - Date.now();
    if (wait <= 0) void this.#read();
    else this.#timer ??= setTimeout(() => void this.#read(), wait);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#readAt = Date.now();
    try {
      this.producers = await listProducers(this.path, this.#controller.signal);
      this.loaded = true;
      this.error = null;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    }
  }
}
