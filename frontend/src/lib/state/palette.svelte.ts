import { isAbort } from '$lib/api/errors';
import { listStreams } from '$lib/api/streams';
import type { Stream } from '$lib/api/types';

const SHOWN = 8;

/** Whether a name has all the words, wherever they stand and however they are written. */
export function hasWords(name: string, words: readonly string[]): boolean {
  const lower = name.toLowerCase();
  return words.every((word) => lower.includes(word.toLowerCase()));
}

export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** The command palette: whether it is open, and the streams that what was typed may mean. */
class Palette {
  open = $state(false);
  streams = $state.raw<Stream[]>([]);
  /** The text that the streams are the answer to. */
  answered = $state<string | null>(null);

  #controller: AbortController | null = null;

  toggle(): void {
    this.open = !this.open;
  }

  close(): void {
    this.open = false;
    this.#controller?.abort();
    this.#answer(null, []);
  }

  async search(text: string): Promise<void> {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    const filter = wordsOf(text).join(' ');
    const order = filter === '' ? ({ sort: 'last', desc: true } as const) : ({ sort: 'path' } as const);
    try {
      this.#answer(text, (await listStreams({ filter, limit: SHOWN, ...order }, controller.signal)).streams);
    } catch (error) {
      if (!isAbort(error)) this.#answer(text, []);
    }
  }

  #answer(text: string | null, streams: Stream[]): void {
    this.answered = text;
    this.streams = streams;
  }
}

export const palette = new Palette();
