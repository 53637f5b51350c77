import { untrack } from 'svelte';
import { isAbort, reason } from '$lib/api/errors';

const EVERY_MS = 1000;

/** Something that the server knows, read again whenever it may have changed, but at most once a second. */
export class Fresh<T> {
  value = $state.raw<T | null>(null);
  error = $state<string | null>(null);

  readonly #ask: (signal: AbortSignal) => Promise<T>;
  #controller = new AbortController();
  #readAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: (signal: AbortSignal) => Promise<T>) {
    this.#ask = ask;
  }

  refresh(): void {
    const wait = this.#readAt + EVERY_MS - Date.now();
    if (wait <= 0) void this.read();
    else this.#timer ??= setTimeout(() => void this.read(), wait);
  }

  /** Stays fresh until the returned function is called; a hidden page rests. */
  start(everyMs = EVERY_MS): () => void {
    this.#controller = new AbortController();
    const timer = setInterval(() => {
      if (!document.hidden) this.refresh();
    }, everyMs);
    // What is asked with must not start this again when it changes.
    untrack(() => this.refresh());
    return () => {
      clearInterval(timer);
      this.dispose();
    };
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  /** Reads at once. */
  async read(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#readAt = Date.now();
    try {
      this.value = await this.#ask(this.#controller.signal);
      this.error = null;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    }
  }
}
