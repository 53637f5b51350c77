import type { Stream } from '$lib/api/types';

/** The stream in sight: open, or selected in the list. What acts on "this" stream asks here. */
class Sight {
  stream = $state.raw<Stream | null>(null);
  /** What the list on screen knows of a stream, so that it can be opened before it is read. */
  listed: ((path: string) => Stream | undefined) | null = null;
}

export const sight = new Sight();
