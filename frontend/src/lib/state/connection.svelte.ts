import { ApiError, isAbort } from '$lib/api/errors';
import { readEvents } from '$lib/api/events';
import type { Info, JournalState, LiveEvent, Stats, StreamChanges, Tail } from '$lib/api/types';

/** Statistics come every second; this long without any means that the server is gone. */
const SILENCE_MS = 3000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;

export type ConnectionState = 'connecting' | 'live' | 'lost' | 'paused';

/**
 * The one live connection of this window. It is dropped while the page is hidden, and comes back
 * by itself. Every time it opens, `epoch` grows: whoever shows a list reads it again, because what
 * happened in between was not heard.
 */
class Connection {
  state = $state<ConnectionState>('connecting');
  epoch = $state(0);
  heardAt = $state(0);
  info = $state.raw<Info | null>(null);
  stats = $state.raw<Stats | null>(null);
  /** The newest state of the watched stream. */
  tail = $state.raw<Tail | null>(null);

  /** How the journal of requests has grown. */
  journal = $state.raw<JournalState | null>(null);

  #watch: string | null = null;
  #running = false;
  #current: AbortController | null = null;
  #wake: (() => void) | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #listeners = new Set<(changes: StreamChanges) => void>();

  /** Stays connected until the returned function is called. */
  start(): () => void {
    const onVisibility = () => this.#restart();
    document.addEventListener('visibilitychange', onVisibility);
    this.#running = true;
    this.state = 'connecting';
    void this.#run();
    return () => {
      document.removeEventListener('visibilitychange', onVisibility);
      this.#running = false;
      this.#restart();
    };
  }

  /** Hears about one stream's tail as well; null for none. */
  watch(path: string | null): void {
    if (path === this.#watch) return;
    this.#watch = path;
    this.tail = null;
    this.#restart();
  }

  /** Calls back with every change of the stream list. */
  onStreams(listener: (changes: StreamChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The person has looked at the findings, which the next statistics will say as well. */
  sawFindings(): void {
    if (this.stats !== null) this.stats = { ...this.stats, findings_unseen: 0 };
  }

  retryNow(): void {
    this.#wake?.();
  }

  #restart(): void {
    this.#current?.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let delay = FIRST_RETRY_MS;
    while (this.#running) {
      if (document.hidden) {
        this.state = 'paused';
        await this.#pause(null);
        continue;
      }
      const controller = new AbortController();
      this.#current = controller;
      let restarted = false;
      try {
        this.#expectSoon(controller);
        await readEvents(this.#watch, controller.signal, (event) => {
          delay = FIRST_RETRY_MS;
          this.#receive(event, controller);
        });
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return;
        restarted = isAbort(error) && controller.signal.reason !== SILENCE;
      } finally {
        clearTimeout(this.#silence);
      }
      if (restarted) continue;
      this.state = 'lost';
      await this.#pause(delay);
      delay = Math.min(delay * 2, LAST_RETRY_MS);
    }
  }

  #receive(event: LiveEvent, from: AbortController): void {
    if (from !== this.#current || from.signal.aborted) return;
    this.heardAt = Date.now();
    this.#expectSoon(from);
    if (event.type === 'hello') {
      this.info = event.info;
      this.state = 'live';
      this.epoch++;
    } else if (event.type === 'stats') {
      this.stats = event;
    } else if (event.type === 'streams') {
      for (const listener of this.#listeners) listener(event);
    } else if (event.type === 'requests') {
      this.journal = event;
    } else if (event.path === this.#watch) {
      this.tail = event;
    }
  }

  #expectSoon(controller: AbortController): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => controller.abort(SILENCE), SILENCE_MS);
  }

  /** Waits until woken, or for so long. */
  #pause(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}

const SILENCE = new DOMException('Nothing was heard for too long.', 'AbortError');

export const connection = new Connection();
