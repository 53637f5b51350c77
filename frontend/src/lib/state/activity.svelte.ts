import { isAbort, reason } from '$lib/api/errors';
import { readActivity } from '$lib/api/activity';
import type { ActivitySeries } from '$lib/api/types';

/** The last fifteen minutes, read again as every step ends. */
export class Activity {
  series = $state.raw<ActivitySeries | null>(null);
  error = $state<string | null>(null);

  readonly #stream: string | null;

  constructor(stream: string | null) {
    this.#stream = stream;
  }

  /** Stays fresh until the returned function is called. */
  start(everyMs: number): () => void {
    const controller = new AbortController();
    const read = async () => {
      try {
        this.series = await readActivity(this.#stream, controller.signal);
        this.error = null;
      } catch (error) {
        if (!isAbort(error)) this.error = reason(error);
      }
    };
    const timer = setInterval(() => {
      if (!document.hidden) void read();
    }, everyMs);
    void read();
    return () => {
      clearInterval(timer);
      controller.abort();
    };
  }
}
