import { isAbort, reason } from '$lib/api/errors';
import { listMessages, readBody } from '$lib/api/streams';
import type { Body, Message } from '$lib/api/types';

/** How much of a body opens by itself. */
export const BODY_CAP = 256 * 1024;

/** One message opened: what is known of it, and its body as far as it has been loaded. */
export class OpenMessage {
  readonly path: string;
  readonly ordinal: number;
  message = $state.raw<Message | null>(null);
  body = $state.raw<Body | null>(null);
  loadingAll = $state(false);
  error = $state<string | null>(null);

  #controller = new AbortController();

  constructor(path: string, ordinal: number, known: Message | undefined) {
    this.path = path;
    this.ordinal = ordinal;
    this.message = known ?? null;
  }

  get capped(): boolean {
    return this.body !== null && this.body.bytes.length < this.body.size;
  }

  async load(): Promise<void> {
    await this.#try(async (signal) => {
      const [body, page] = await Promise.all([
        readBody(this.path, this.ordinal, BODY_CAP, signal),
        this.message ?? listMessages(this.path, this.ordinal, 1, signal),
      ]);
      this.message = 'messages' in page ? (page.messages[0] ?? null) : page;
      this.body = body;
    });
  }

  async loadAll(): Promise<void> {
    this.loadingAll = true;
    await this.#try(async (signal) => {
      this.body = await readBody(this.path, this.ordinal, undefined, signal);
    });
    this.loadingAll = false;
  }

  /** Every byte of the message, whatever is on screen. */
  async whole(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.body !== null && !this.capped) return this.body.bytes;
    return (await readBody(this.path, this.ordinal)).bytes;
  }

  dispose(): void {
    this.#controller.abort();
  }

  async #try(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.error = null;
    try {
      await work(this.#controller.signal);
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    }
  }
}
