import { isAbort } from '$lib/api/errors';
import { listStreams } from '$lib/api/streams';
import type { Stream } from '$lib/api/types';

const ASKED = 200;
const SHOWN = 8;

/** Whether a name has all the words, wherever they stand. */
export function hasWords(name: string, words: readonly string[]): boolean {
  const lower = name.toLowerCase();
  return words.every((word) => lower.includes(word));
}

export function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** The command palette: whether it is open, and the streams that what was typed may mean. */
class Palette {
  open = $state(false);
  streams = $state.raw<Stream[]>([]);

  #controller: AbortController | null = null;

  toggle(): void {
    this.open = !this.open;
  }

  close(): void {
    this.open = false;
    this.#controller?.abort();
    this.streams = [];
  }

  async search(text: string): Promise<void> {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    const typed = text.split(/\s+/).filter((word) => word !== '');
    // The server looks for the longest word as it was typed; the others are looked for here.
    const longest = typed.toSorted((a, b) => b.length - a.length)[0] ?? '';
    try {
      const filter = longest.includes('*') ? '' : longest;
      const { streams } = await listStreams(
        { filter, limit: ASKED, sort: filter === '' ? 'last' : 'path', desc: filter === '' },
        controller.signal,
      );
      const words = wordsOf(text);
      this.streams = streams.filter(({ path }) => hasWords(path, words)).slice(0, SHOWN);
    } catch (error) {
      if (!isAbort(error)) this.streams = [];
    }
  }
}

export const palette = new Palette();
