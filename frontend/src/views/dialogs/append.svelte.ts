import { reason } from '$lib/api/errors';
import { append } from '$lib/api/streams';
import type { AppendRequest, AppendResult, Stream } from '$lib/api/types';
import { contentNote, kindOf, type Encoding } from '$lib/format/content';

/** The form that appends to a stream. */
export class AppendForm {
  readonly stream: Stream;
  readonly #asBytes: boolean;
  contentType = $state('');
  readonly kind = $derived(kindOf(this.contentType));
  /** The body may be base64: that of bytes, and one that began so, whatever the stream is called. */
  readonly binary = $derived.by(() => this.kind === 'bytes' || this.#asBytes);
  body = $state('');
  encoding = $state<Encoding>('text');
  close = $state(false);
  streamSeq = $state('');
  producerId = $state('');
  producerEpoch = $state('0');
  producerSeq = $state('0');
  busy = $state(false);
  error = $state<string | null>(null);

  readonly note = $derived.by(() => contentNote(this.body, this.kind, this.binary ? this.encoding : 'text'));
  readonly problem = $derived.by(() => {
    if (this.body === '' && !this.close) return 'There is nothing to append yet.';
    if (!this.note.ok) return 'The body cannot be sent as it is.';
    if (this.producerId === '') return null;
    const whole = /^(0|[1-9]\d*)$/;
    if (!whole.test(this.producerEpoch)) return 'The producer epoch is a whole number.';
    return whole.test(this.producerSeq) ? null : 'The producer sequence is a whole number.';
  });

  constructor(stream: Stream, body = '', encoding: Encoding = 'text') {
    this.stream = stream;
    this.#asBytes = encoding === 'base64';
    this.contentType = stream.content_type;
    this.body = body;
    this.encoding = encoding;
  }

  /** Replaces the body with a text. */
  bring(text: string): void {
    this.body = text;
    this.encoding = 'text';
  }

  /** Sends the append; null when that failed, and `error` says why. */
  async send(): Promise<AppendResult | null> {
    this.error = this.problem;
    if (this.error !== null || this.busy) return null;
    this.busy = true;
    try {
      return await append(this.stream.path, this.#request());
    } catch (error) {
      this.error = reason(error);
      return null;
    } finally {
      this.busy = false;
    }
  }

  #request(): AppendRequest {
    const request: AppendRequest = {};
    if (this.body !== '' && this.binary && this.encoding === 'base64') {
      request.body_base64 = this.body.replace(/\s+/g, '');
    } else if (this.body !== '') {
      request.body = this.body;
    }
    if (this.contentType.trim() !== this.stream.content_type) request.content_type = this.contentType.trim();
    if (this.close) request.close = true;
    if (this.streamSeq !== '') request.stream_seq = this.streamSeq;
    if (this.producerId !== '') {
      request.producer = {
        id: this.producerId,
        epoch: Number(this.producerEpoch),
        seq: Number(this.producerSeq),
      };
    }
    return request;
  }
}
