import { isAbort, reason } from '$lib/api/errors';
import { filterMessages, pickMessages, type FilterWay } from '$lib/api/streams';
import type { FilterProgress, Stream } from '$lib/api/types';
import { MessageLog } from './messagelog.svelte';

/** New messages are looked at so often at most. */
const EVERY_MS = 500;

const WAYS: FilterWay[] = ['text', 'regex', 'path'];

/** How the address of a stream filters. What it does not say is what fits the messages. */
export function wayOf(by: string, { kind }: Stream): FilterWay {
  return WAYS.find((way) => way === by) ?? (kind === 'json' ? 'path' : 'text');
}

/**
 * What a filter finds in a stream. The server looks at all messages and names the ordinals as it
 * finds them; the rows themselves are fetched as they are looked at, like those of a stream. When
 * more messages come, it goes on where it stopped.
 */
export class Matches {
  readonly path: string;
  readonly by: FilterWay;
  readonly pattern: string;
  readonly log: MessageLog;
  /** How far it has looked, and to where it will. */
  read = $state(0);
  total = $state(0);
  found = $state(0);
  running = $state(false);
  /** It has looked at all that was there when it began. */
  whole = $state(false);
  /** A person stopped it: new messages do not start it again. */
  stopped = $state(false);
  error = $state<string | null>(null);

  #ordinals = new Float64Array(1024);
  #controller: AbortController | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, by: FilterWay, pattern: string) {
    this.path = path;
    this.by = by;
    this.pattern = pattern;
    this.log = new MessageLog((from, count, signal) =>
      pickMessages(path, Array.from(this.#ordinals.subarray(from, from + count)), signal),
    );
  }

  /** The ordinal of the message at an index. */
  ordinal(index: number): number {
    return this.#ordinals[index] ?? -1;
  }

  /** The index of the first match at an ordinal or behind it. */
  index(ordinal: number): number {
    let low = 0;
    let high = this.found;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ordinal(middle) < ordinal) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Says that the stream has so many messages now. */
  grow(messages: number): void {
    this.total = Math.max(this.total, messages);
    if (this.running || this.stopped || this.error !== null || this.read >= this.total) return;
    if (!this.whole) void this.run();
    else this.#again ??= setTimeout(() => void this.run(), EVERY_MS);
  }

  /** Looks at what has not been looked at yet. */
  async run(): Promise<void> {
    clearTimeout(this.#again);
    this.#again = undefined;
    const controller = new AbortController();
    this.#controller = controller;
    this.running = true;
    this.stopped = false;
    this.error = null;
    try {
      const { by, pattern } = this;
      await filterMessages(this.path, { by, pattern, from: this.read }, controller.signal, (progress) => {
        if (!controller.signal.aborted) this.#take(progress);
      });
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    }
    if (this.#controller !== controller) return;
    this.running = false;
    if (!this.stopped && this.error === null) {
      this.whole = true;
      this.grow(0);
    }
  }

  stop(): void {
    this.stopped = true;
    this.running = false;
    this.#controller?.abort();
  }

  dispose(): void {
    clearTimeout(this.#again);
    this.stop();
    this.log.dispose();
  }

  #take({ matches, read, total, error }: FilterProgress): void {
    const length = this.found + matches.length;
    if (length > this.#ordinals.length) {
      const larger = new Float64Array(Math.max(length, this.#ordinals.length * 2));
      larger.set(this.#ordinals.subarray(0, this.found));
      this.#ordinals = larger;
    }
    this.#ordinals.set(matches, this.found);
    this.found = length;
    this.read = Math.max(this.read, read);
    this.total = Math.max(this.total, total);
    this.error = error;
    this.log.grow(length);
    // Paused is paused only for what was not there when the filter began.
    if (!this.whole) this.log.takeIn();
  }
}
