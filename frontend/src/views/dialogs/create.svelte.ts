import { reason } from '$lib/api/errors';
import { createStream } from '$lib/api/streams';
import type { CreateRequest, Stream } from '$lib/api/types';
import type { ForkPoint } from '$lib/state/dialogs.svelte';
import { prefs } from '$lib/state/prefs.svelte';
import { fromBase64 } from '$lib/format/bytes';
import { contentNote, kindOf, type Encoding } from '$lib/format/content';
import type { Command } from '$lib/format/curl';
import { foldedPath, streamUrl } from '$lib/format/path';
import { formatSeconds } from '$lib/format/time';

export type TypeChoice = 'json' | 'text' | 'bytes' | 'custom';
export type Life = 'ever' | 'ttl' | 'until';

const TYPES: Record<Exclude<TypeChoice, 'custom'>, string> = {
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
  bytes: 'application/octet-stream',
};

const DAY_SECONDS = 86_400;

/** The form that makes a stream: what was typed, what is wrong with it, and the sending of it. */
export class CreateForm {
  path = $state('');
  type = $state<TypeChoice>('json');
  custom = $state('');
  life = $state<Life>('ever');
  ttl = $state(String(DAY_SECONDS));
  /** As the browser's date and time field has it: local, without a zone. */
  until = $state('');
  forkOf = $state('');
  forkOffset = $state('');
  closed = $state(false);
  body = $state('');
  encoding = $state<Encoding>('text');
  busy = $state(false);
  error = $state<string | null>(null);

  readonly contentType = $derived(this.type === 'custom' ? this.custom.trim() : TYPES[this.type]);
  readonly isFork = $derived(this.forkOf !== '');
  readonly kind = $derived(kindOf(this.contentType));
  /** A fork has the type of its source: only the server can tell what its content becomes. */
  readonly note = $derived.by(() => (this.isFork ? { ok: true, text: '', messages: 0 } : this.#note()));
  readonly #note = () => contentNote(this.body, this.kind, this.kind === 'bytes' ? this.encoding : 'text');
  readonly ttlNote = $derived(/^\d+$/.test(this.ttl) ? `seconds = ${formatSeconds(Number(this.ttl))}` : 'seconds');
  readonly problem = $derived.by(() => {
    if (this.path === '') return 'A stream needs a path.';
    const folded = foldedPath(this.path);
    if (folded !== null) return folded;
    if (this.contentType === '') return 'A stream needs a content type.';
    if (this.life === 'ttl' && !/^(0|[1-9]\d*)$/.test(this.ttl)) return 'The TTL is a whole number of seconds.';
    if (this.life === 'until' && this.until === '') return 'Say until when the stream lives.';
    return this.note.ok ? null : 'The first content cannot be sent as it is.';
  });

  constructor(path: string, fork: ForkPoint | null) {
    this.path = path;
    this.forkOf = fork?.of ?? '';
    this.forkOffset = fork?.offset ?? '';
  }

  /** Makes the stream; null when that failed, and `error` says why. */
  async send(): Promise<{ created: boolean; stream: Stream } | null> {
    this.error = this.problem;
    if (this.error !== null || this.busy) return null;
    this.busy = true;
    try {
      return await createStream(this.path, this.#request());
    } catch (error) {
      this.error = reason(error);
      return null;
    } finally {
      this.busy = false;
    }
  }

  /** The same request, for a command line. */
  command(): Command {
    const { content_type, ttl_seconds, expires_at, closed, fork } = this.#request();
    const headers: [string, string][] = content_type === undefined ? [] : [['Content-Type', content_type]];
    if (fork) headers.push(['Stream-Forked-From', streamUrl('', fork.of)]);
    if (fork?.offset) headers.push(['Stream-Fork-Offset', fork.offset]);
    if (ttl_seconds !== undefined) headers.push(['Stream-TTL', String(ttl_seconds)]);
    if (expires_at !== undefined) headers.push(['Stream-Expires-At', expires_at]);
    if (closed) headers.push(['Stream-Closed', 'true']);
    const body = this.#base64 ? fromBase64(this.body) : this.body;
    return { method: 'PUT', path: this.path, headers, body };
  }

  get #base64(): boolean {
    return this.kind === 'bytes' && this.encoding === 'base64';
  }

  #request(): CreateRequest {
    const request: CreateRequest = this.isFork ? {} : { content_type: this.contentType };
    if (this.isFork) {
      request.fork = { of: this.forkOf };
      if (this.forkOffset.trim() !== '') request.fork.offset = this.forkOffset.trim();
    }
    if (this.life === 'ttl') request.ttl_seconds = Number(this.ttl);
    if (this.life === 'until')
      request.expires_at = new Date(this.until + (prefs.zone.value === 'utc' ? 'Z' : '')).toISOString();
    if (this.closed) request.closed = true;
    if (this.body !== '' && this.#base64) request.body_base64 = this.body.replace(/\s+/g, '');
    else if (this.body !== '') request.body = this.body;
    return request;
  }
}
