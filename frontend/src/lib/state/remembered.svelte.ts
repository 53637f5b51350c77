import { ApiError } from '$lib/api/errors';
import { changeMemory, readMemory } from '$lib/api/memory';

const SEND_AFTER_MS = 200;

/** Where a value is kept: everywhere, or by the server only, when it is about the server's streams. */
export type Where = 'browser too' | 'server only';

interface Known {
  take: (text: string) => void;
  where: Where;
}

const known = new Map<string, Known>();
/** What was chosen here and the server does not know yet. */
const unsent = new Map<string, string>();
/** For every answer that is waited for: what it may be too old for, because it was chosen here or is on its way. */
const newer = new Set<Set<string>>();
let timer: ReturnType<typeof setTimeout> | undefined;
let sending = false;
let hear: () => void;
/** Resolves when the server has been heard for the first time. */
export const heard = new Promise<void>((resolve) => (hear = resolve));

/**
 * A value that outlives the page. The server remembers it for every window and browser; what this browser
 * keeps as well is shown until the server is heard.
 */
export class Remembered<T> {
  #name: string;
  #where: Where;
  #write: (value: T) => string;
  #value: T;

  constructor(
    name: string,
    fallback: T,
    read: (text: string) => T | null,
    write: (value: T) => string = String,
    where: Where = 'browser too',
  ) {
    this.#name = name;
    this.#where = where;
    this.#write = write;
    const text = where === 'browser too' ? kept(name) : null;
    this.#value = $state.raw((text === null ? null : read(text)) ?? fallback);
    known.set(name, {
      where,
      take: (text) => {
        const value = read(text);
        if (value === null || text === write(this.#value)) return;
        this.#value = value;
        if (where === 'browser too') keep(name, text);
      },
    });
  }

  get value(): T {
    return this.#value;
  }

  set value(next: T) {
    if (next === this.#value) return;
    this.#value = next;
    const text = this.#write(next);
    if (this.#where === 'browser too') keep(this.#name, text);
    tell(this.#name, text);
  }
}

/** Takes over what the server remembers, and tells it what only this browser does. */
export async function recall(): Promise<void> {
  const chosen = new Set(unsent.keys());
  newer.add(chosen);
  const values = await readMemory().finally(() => newer.delete(chosen));
  for (const [name, { take, where }] of known) {
    if (chosen.has(name)) continue;
    const text = values[name];
    if (text !== undefined) take(text);
    else if (where === 'browser too') {
      const own = kept(name);
      if (own !== null) unsent.set(name, own);
    }
  }
  hear();
  await flush();
}

/** Sees to it that what was chosen last arrives although the page goes, until the returned function is called. */
export function sendOnLeave(): () => void {
  const leave = () => {
    if (unsent.size > 0) void changeMemory(Object.fromEntries(unsent), true).catch(() => {});
  };
  window.addEventListener('pagehide', leave);
  return () => window.removeEventListener('pagehide', leave);
}

function tell(name: string, text: string): void {
  unsent.set(name, text);
  for (const chosen of newer) chosen.add(name);
  timer ??= setTimeout(() => {
    timer = undefined;
    void flush();
  }, SEND_AFTER_MS);
}

/** Tells the server value by value. One that it refuses is not offered again; without an answer all wait for the next time. */
async function flush(): Promise<void> {
  if (sending) return;
  sending = true;
  try {
    for (let next = first(); next !== undefined; next = first()) {
      const [name, text] = next;
      try {
        await changeMemory({ [name]: text });
      } catch (error) {
        if (!(error instanceof ApiError && (error.status === 400 || error.status === 422))) return;
      }
      if (unsent.get(name) === text) unsent.delete(name);
    }
  } finally {
    sending = false;
  }
}

function first(): [string, string] | undefined {
  return unsent.entries().next().value;
}

function keep(name: string, text: string): void {
  try {
    localStorage.setItem(`tailrace.${name}`, text);
  } catch {
    // Without storage the choice is shown only when the server has been heard.
  }
}

function kept(name: string): string | null {
  try {
    return localStorage.getItem(`tailrace.${name}`);
  } catch {
    return null;
  }
}

/** Reads one of a fixed set of words. */
export function oneOf<const T extends string>(...words: T[]): (text: string) => T | null {
  return (text) => words.find((word) => word === text) ?? null;
}

export function asBoolean(text: string): boolean {
  return text === 'true';
}

export function asNumber(text: string): number | null {
  const n = Number(text);
  return Number.isFinite(n) ? n : null;
}
