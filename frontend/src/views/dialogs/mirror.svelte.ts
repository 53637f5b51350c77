import { reason } from '$lib/api/errors';
import { addMirror } from '$lib/api/mirrors';
import type { Mirror, NewMirror } from '$lib/api/types';

/** Where the header comes from that lets a mirror in. */
export type Header = 'none' | 'token' | 'variable' | 'file';

/** Plain HTTP beyond this machine is for those who ask for it. */
const PLAIN = /^http:\/\/(?!(localhost|127(\.\d+){3}|\[::1\]|[^/:]*\.localhost)(:|\/|$))/i;

/** The form that makes a mirror, or gives one that there is another header. */
export class MirrorForm {
  direction = $state<Mirror['direction']>('push');
  glob = $state('');
  /** Name of a remote of the configuration; empty: the address that was typed. */
  known = $state('');
  url = $state('');
  header = $state<Header>('none');
  token = $state('');
  variable = $state('');
  file = $state('');
  insecure = $state(false);
  name = $state('');
  once = $state(false);
  busy = $state(false);
  error = $state<string | null>(null);

  readonly plain = $derived(PLAIN.test(this.url.trim()));
  readonly problem = $derived.by(() => {
    if (this.glob.trim() === '') return 'Say which streams: a path, or a glob such as chat/**.';
    if (this.known !== '') return null;
    if (this.url.trim() === '') return 'Say which server: the address of its streams, such as https://host/v1/stream/.';
    if (this.header === 'token' && this.token.trim() === '') return 'Paste the token, or choose “None”.';
    if (this.header === 'variable' && this.variable.trim() === '') return 'Name the variable that holds the token.';
    return this.header === 'file' && this.file.trim() === '' ? 'Name the file that holds the headers.' : null;
  });

  constructor(mirror: Mirror | null) {
    if (mirror === null) return;
    this.direction = mirror.direction;
    this.glob = mirror.glob;
    this.url = mirror.remote;
    this.name = mirror.name;
    this.insecure = mirror.insecure;
    this.variable = mirror.token_env;
    this.file = mirror.header_file;
    this.header = mirror.header_file !== '' ? 'file' : mirror.token_env !== '' ? 'variable' : 'token';
  }

  /** Makes the mirror; null when that failed, and `error` says why. */
  async send(): Promise<Mirror | null> {
    this.error = this.problem;
    if (this.error !== null || this.busy) return null;
    this.busy = true;
    try {
      return await addMirror(this.#request());
    } catch (failure) {
      this.error = reason(failure);
      return null;
    } finally {
      this.busy = false;
    }
  }

  #request(): NewMirror {
    const { direction, once } = this;
    const request: NewMirror = { direction, once, glob: this.glob.trim(), name: this.name.trim(), remote: this.known };
    if (this.known !== '') return request;
    request.remote = this.url.trim();
    request.insecure = this.plain && this.insecure;
    if (this.header === 'token') request.token = this.token.trim();
    if (this.header === 'variable') request.token_env = this.variable.trim();
    if (this.header === 'file') request.header_file = this.file.trim();
    return request;
  }
}
