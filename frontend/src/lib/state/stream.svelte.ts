import { isAbort, isNotFound, reason } from '$lib/api/errors';
import { readStream } from '$lib/api/streams';
import type { Stream, StreamChanges, Tail } from '$lib/api/types';

/** Which of the streams at its path an offset is of (docs/protocol.md: the first part of a token). */
const incarnationOf = (offset: string) => offset.split('_')[0];

/** What tells a stream from another one at its path: one that was restored is as old as the one it was. */
export function identityOf({ created_at, tail }: Stream): string {
  return `${created_at} ${incarnationOf(tail)}`;
}

/**
 * One stream as it is now: what is known of it already, if anything, then what was read once, kept up to
 * date by what the live connection says.
 */
export class OpenStream {
  readonly path: string;
  stream = $state.raw<Stream | null>(null);
  missing = $state(false);
  /** It was deleted while it was on screen: what was loaded stays. */
  gone = $state(false);
  error = $state<string | null>(null);

  #reading: AbortController | null = null;
  /** What is shown was read here, not only known from elsewhere. */
  #seen = false;

  constructor(path: string, known: Stream | null = null) {
    this.path = path;
    this.stream = known;
  }

  async load(): Promise<void> {
    this.#reading?.abort();
    const controller = new AbortController();
    this.#reading = controller;
    try {
      this.#take(await readStream(this.path, controller.signal));
      this.#seen = true;
      this.missing = false;
      this.gone = false;
      this.error = null;
    } catch (error) {
      if (isAbort(error)) return;
      if (!this.#seen) this.stream = null;
      if (!isNotFound(error)) this.error = reason(error);
      else if (this.stream === null) this.missing = true;
      else this.gone = true;
    }
  }

  apply({ changed, removed, refresh }: StreamChanges): void {
    if (refresh) {
      void this.load();
      return;
    }
    if (removed.includes(this.path) && this.stream !== null) this.gone = true;
    const stream = changed.find(({ path }) => path === this.path);
    if (stream === undefined) return;
    this.#take(stream);
    this.missing = false;
    this.gone = false;
  }

  applyTail(tail: Tail): void {
    if (this.stream === null) return;
    const deleted = tail.deleted && !this.stream.deleted;
    if (deleted && this.stream.forks === 0) {
      this.#reading?.abort(); // it would tell of a moment ago
      this.gone = true;
      return;
    }
    const shrunk = tail.messages < this.stream.messages;
    const back = this.gone && !tail.deleted;
    const other = !tail.deleted && incarnationOf(tail.tail) !== incarnationOf(this.stream.tail);
    if (shrunk || deleted || back || other) {
      // Made anew, gone, or kept readable for its forks: only asking tells.
      void this.load();
      return;
    }
    const { messages, bytes, closed } = tail;
    this.stream = { ...this.stream, messages, bytes, closed, tail: tail.tail };
  }

  /** A reading may be older than the tail that came meanwhile: streams only grow. */
  #take(read: Stream): void {
    const now = this.stream;
    const older = now !== null && identityOf(now) === identityOf(read) && now.messages > read.messages;
    this.stream = older ? { ...read, messages: now.messages, bytes: now.bytes, tail: now.tail } : read;
  }

  dispose(): void {
    this.#reading?.abort();
  }
}
