import { hasToken, setToken, whenLocked } from '$lib/api/client';
import { reason } from '$lib/api/errors';
import { openSession } from '$lib/api/session';

/** Whether this page may talk to the server: a one-time code from a link buys a token. */
class Session {
  open = $state(false);
  /** False until the first code or stored token has been looked at. */
  ready = $state(false);
  error = $state<string | null>(null);

  constructor() {
    whenLocked(() => this.#lock());
  }

  /** Takes the code out of the address at once, and uses it. */
  async begin(): Promise<void> {
    const code = codeIn(location.hash);
    if (code !== null) {
      history.replaceState(null, '', location.pathname + location.search);
      await this.unlock(code);
    } else {
      this.open = hasToken();
    }
    this.ready = true;
  }

  /** Accepts a code, or a whole link that has one. */
  async unlock(text: string): Promise<void> {
    const code = codeIn(text) ?? text.trim();
    this.error = null;
    try {
      await openSession(code);
      this.open = true;
    } catch (error) {
      this.open = hasToken();
      this.error = reason(error);
    }
  }

  #lock(): void {
    setToken(null);
    this.open = false;
  }
}

function codeIn(text: string): string | null {
  return /#code=([^&\s]+)/.exec(text)?.[1] ?? null;
}

export const session = new Session();
