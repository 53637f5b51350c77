import { isAbort, reason } from '$lib/api/errors';
import { listFound } from '$lib/api/snapshots';
import type { FoundFile } from '$lib/api/types';

/** So long the server waits for news; what else changes, such as a path that is free again, shows after it. */
const WAIT_MS = 5000;
const RETRY_MS = 2000;

/** Files in watched folders that the log does not know, as they come and go. */
export class FoundList {
  files = $state.raw<FoundFile[]>([]);
  loaded = $state(false);
  error = $state<string | null>(null);

  #now: AbortController | undefined;

  /** Stays fresh until the returned function is called; a hidden page rests. */
  start(): () => void {
    const controller = new AbortController();
    const wake = () => this.refresh();
    document.addEventListener('visibilitychange', wake);
    void this.#follow(controller.signal);
    return () => {
      document.removeEventListener('visibilitychange', wake);
      controller.abort();
      this.#now?.abort();
    };
  }

  /** Asks at once instead of waiting for news. */
  refresh(): void {
    this.#now?.abort();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let seen = -1;
    while (!signal.aborted) {
      const now = (this.#now = new AbortController());
      try {
        if (document.hidden) {
          await until(now.signal, null);
        } else {
          const found = await listFound(seen, seen < 0 ? 0 : WAIT_MS, now.signal);
          seen = found.revision;
          this.files = found.files;
          this.loaded = true;
          this.error = null;
        }
      } catch (error) {
        seen = -1; // what is there is asked for at once
        if (isAbort(error)) continue;
        this.error = reason(error);
        await until(now.signal, RETRY_MS);
      }
    }
  }
}

/** Waits until the signal is given, or for so long. */
function until(signal: AbortSignal, ms: number | null): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (ms !== null) setTimeout(resolve, ms);
  });
}
