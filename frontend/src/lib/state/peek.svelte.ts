import { isAbort } from '$lib/api/errors';
import { listMessages, listProducers } from '$lib/api/streams';
import type { Message, ProducerPage, Stream } from '$lib/api/types';

const NEWEST = 5;
const PRODUCERS = 5;
const EVERY_MS = 1000;

/** The newest messages and the latest producers of the selected stream, read at most once a second. */
export class Peek {
  path = $state<string | null>(null);
  messages = $state.raw<Message[]>([]);
  producers = $state.raw<ProducerPage | null>(null);

  #due: Stream | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #controller = new AbortController();

  /** Says which stream to look into, and how long it is now. */
  show(stream: Stream): void {
    if (stream.path !== this.path) {
      this.#reset();
      this.path = stream.path;
      void this.#read(stream);
      return;
    }
    this.#due = stream;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#due !== null) void this.#read(this.#due);
    }, EVERY_MS);
  }

  dispose(): void {
    this.#reset();
  }

  #reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = null;
    this.#controller.abort();
    this.#controller = new AbortController();
    this.messages = [];
    this.producers = null;
  }

  async #read(stream: Stream): Promise<void> {
    const { signal } = this.#controller;
    try {
      const [page, producers] = await Promise.all([
        listMessages(stream.path, Math.max(0, stream.messages - NEWEST), NEWEST, signal),
        listProducers(stream.path, { limit: PRODUCERS }, signal),
      ]);
      this.messages = page.messages.toReversed();
      this.producers = producers;
    } catch (error) {
      // A peek that fails leaves the panel's own numbers; the connection's banner says why.
      if (!isAbort(error)) this.messages = [];
    }
  }
}
