import type { Stream } from '$lib/api/types';

export type OpenDialog =
  { kind: 'create'; path: string } | { kind: 'append' | 'close' | 'delete'; stream: Stream } | { kind: 'help' };

/** The one dialog that is open, if any. */
class Dialogs {
  current = $state.raw<OpenDialog | null>(null);

  create(path = ''): void {
    this.current = { kind: 'create', path };
  }

  ask(kind: 'append' | 'close' | 'delete', stream: Stream): void {
    this.current = { kind, stream };
  }

  help(): void {
    this.current = { kind: 'help' };
  }

  done(): void {
    this.current = null;
  }
}

export const dialogs = new Dialogs();
