import type { Stream, Subscription } from '$lib/api/types';

export type OpenDialog =
  | { kind: 'create'; path: string; fork: ForkPoint | null }
  | { kind: 'append'; stream: Stream; body: string; base64: boolean }
  | { kind: 'close' | 'delete'; stream: Stream }
  | { kind: 'unsubscribe'; subscription: Subscription }
  | { kind: 'help' | 'about' };

/** Where a new stream branches off; an empty offset is the tail. */
export interface ForkPoint {
  of: string;
  offset: string;
}

/** The one dialog that is open, if any. */
class Dialogs {
  current = $state.raw<OpenDialog | null>(null);

  create(path = ''): void {
    this.current = { kind: 'create', path, fork: null };
  }

  /** Makes a stream that begins with what another has before an offset; none: all of it. */
  fork({ path }: Stream, offset: string): void {
    this.current = { kind: 'create', path: `${path}-fork`, fork: { of: path, offset } };
  }

  ask(kind: 'append' | 'close' | 'delete', stream: Stream): void {
    this.current = kind === 'append' ? { kind, stream, body: '', base64: false } : { kind, stream };
  }

  /** Appends to a stream, beginning with a body: text, or bytes as base64. */
  compose(stream: Stream, body: string, base64: boolean): void {
    this.current = { kind: 'append', stream, body, base64 };
  }

  unsubscribe(subscription: Subscription): void {
    this.current = { kind: 'unsubscribe', subscription };
  }

  help(): void {
    this.current = { kind: 'help' };
  }

  about(): void {
    this.current = { kind: 'about' };
  }

  done(): void {
    this.current = null;
  }
}

export const dialogs = new Dialogs();
