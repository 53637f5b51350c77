import { readDemo, removeDemo, startDemo, stopDemo } from '$lib/api/demo';
import { isAbort, reason } from '$lib/api/errors';
import { plural } from '$lib/format/number';
import { toasts } from './toasts.svelte';

const SECONDS = 600;

/** The demo traffic: applications that write for a while, and what they have left behind. */
class Demo {
  /** Streams of the demo traffic that are there. */
  streams = $state(0);
  busy = $state(false);

  async look(signal?: AbortSignal): Promise<void> {
    try {
      this.streams = (await readDemo(signal)).streams;
    } catch (error) {
      // A server that does not answer is shown elsewhere.
      if (!isAbort(error)) this.streams = 0;
    }
  }

  start(): Promise<void> {
    return this.#do('The demo traffic could not be started', async () => {
      this.streams = (await startDemo(SECONDS)).streams;
      toasts.done('Demo traffic is running', 'For ten minutes, in streams below demo/.');
    });
  }

  stop(): Promise<void> {
    return this.#do('The demo traffic could not be stopped', async () => {
      this.streams = (await stopDemo()).streams;
    });
  }

  remove(): Promise<void> {
    return this.#do('The demo traffic could not be removed', async () => {
      const { removed } = await removeDemo();
      this.streams = 0;
      toasts.done('Removed the demo traffic', `${plural(removed, 'stream')} deleted.`);
    });
  }

  async #do(failure: string, work: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      await work();
    } catch (error) {
      toasts.failed(failure, reason(error));
    } finally {
      this.busy = false;
    }
  }
}

export const demo = new Demo();
