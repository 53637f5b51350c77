import type { FoundFile, Mirror, Snapshot, Stream, Subscription } from '$lib/api/types';

export type OpenDialog =
  | { kind: 'create'; path: string; fork: ForkPoint | null }
  | { kind: 'append'; stream: Stream; body: string; base64: boolean }
  | { kind: 'close' | 'delete'; stream: Stream }
  | { kind: 'unsubscribe'; subscription: Subscription }
  | { kind: 'export'; stream: Stream }
  | { kind: 'import'; stream: Stream | null }
  | { kind: 'snapshot' | 'compact'; path: string }
  | { kind: 'restore'; from: Snapshot | FoundFile | null }
  | { kind: 'prune' | 'backup' }
  | { kind: 'mirror'; mirror: Mirror | null }
  | { kind: 'forget'; mirror: Mirror }
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

  exportFile(stream: Stream): void {
    this.current = { kind: 'export', stream };
  }

  /** Appends a file to a stream; null: to one that is named then. */
  importFile(stream: Stream | null): void {
    this.current = { kind: 'import', stream };
  }

  /** Takes a snapshot, or makes a stream be read from one; an empty path is filled in then. */
  snapshot(kind: 'snapshot' | 'compact', path: string): void {
    this.current = { kind, path };
  }

  /** Brings a stream back; null: from a file that is named then. */
  restore(from: Snapshot | FoundFile | null): void {
    this.current = { kind: 'restore', from };
  }

  prune(): void {
    this.current = { kind: 'prune' };
  }

  /** Copies everything to a place. */
  backup(): void {
    this.current = { kind: 'backup' };
  }

  /** Makes a mirror, or gives one that there is another header. */
  mirror(mirror: Mirror | null): void {
    this.current = { kind: 'mirror', mirror };
  }

  forget(mirror: Mirror): void {
    this.current = { kind: 'forget', mirror };
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
