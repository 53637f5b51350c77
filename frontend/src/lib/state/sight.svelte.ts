import type { Stream } from '$lib/api/types';

/** The stream in sight: open, or selected in the list. What acts on "this" stream asks here. */
class Sight {
  stream = $state.raw<Stream | null>(null);
}

export const sight = new Sight();
