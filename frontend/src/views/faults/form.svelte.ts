import { armFault } from '$lib/api/faults';
import { reason } from '$lib/api/errors';
import type { Fault, FaultSpec } from '$lib/api/types';
import { KINDS, METHODS, type FaultKind } from './kinds';

const whole = (text: string) => (/^\d+$/.test(text.trim()) ? Number(text.trim()) : null);

/** The form that arms a fault: what was typed, and what is wrong with it. */
export class FaultForm {
  kind = $state<FaultKind>('status');
  streams = $state('');
  methods = $state<string[]>([]);
  status = $state('503');
  retryAfter = $state('');
  after = $state('1000');
  jitter = $state('');
  bytes = $state('');
  percent = $state('100');
  count = $state('');
  minutes = $state('5');
  busy = $state(false);
  error = $state<string | null>(null);

  readonly fields = $derived(KINDS[this.kind].fields);

  constructor(streams: string) {
    this.streams = streams;
  }

  toggle(method: string): void {
    const chosen = this.methods.includes(method)
      ? this.methods.filter((name) => name !== method)
      : [...this.methods, method];
    this.methods = METHODS.filter((name) => chosen.includes(name));
  }

  /** Arms it; null when that was refused, and `error` says why. */
  async send(): Promise<Fault | null> {
    const spec = this.#spec();
    if (typeof spec === 'string') {
      this.error = spec;
      return null;
    }
    if (this.busy) return null;
    this.busy = true;
    this.error = null;
    try {
      return await armFault(spec);
    } catch (failure) {
      this.error = reason(failure);
      return null;
    } finally {
      this.busy = false;
    }
  }

  #spec(): FaultSpec | string {
    const spec: FaultSpec = { kind: this.kind };
    if (this.streams.trim() !== '') spec.streams = this.streams.trim();
    if (this.methods.length > 0) spec.methods = this.methods;
    const fields: [boolean, string, string, (value: number) => void, least?: number][] = [
      [this.fields.includes('status'), this.status, 'The status', (value) => (spec.status = value)],
      [this.fields.includes('status'), this.retryAfter, 'Retry-After', (value) => (spec.retry_after = value), 1],
      [this.fields.includes('after'), this.after, 'The time', (value) => (spec.after_ms = value)],
      [this.fields.includes('after'), this.jitter, 'The jitter', (value) => (spec.jitter_ms = value)],
      [this.fields.includes('bytes'), this.bytes, 'The number of bytes', (value) => (spec.bytes = value), 1],
      [true, this.count, 'How many times', (value) => (spec.count = value), 1],
      [true, this.minutes, 'For how long', (value) => (spec.seconds = value * 60), 1],
    ];
    for (const [used, text, name, take, least = 0] of fields) {
      if (!used || text.trim() === '') continue;
      const value = whole(text);
      if (value === null) return `${name} is a whole number.`;
      // To the server a zero is a field that was left empty.
      if (value < least) return `${name} is a whole number from ${least} on.`;
      take(value);
    }
    const percent = Number(this.percent);
    if (!(percent > 0 && percent <= 100)) return 'The share of requests is above 0 and up to 100 %.';
    if (percent < 100) spec.probability = percent / 100;
    return spec;
  }
}
