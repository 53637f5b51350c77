/** A value that survives reload in this browser. */
export class Remembered<T> {
  #key: string;
  #write: (value: T) => string;
  #value: T;

  constructor(name: string, fallback: T, read: (text: string) => T | null, write: (value: T) => string = String) {
    this.#key = `tailrace.${name}`;
    this.#write = write;
    this.#value = $state.raw(load(this.#key, read) ?? fallback);
  }

  get value(): T {
    return this.#value;
  }

  set value(next: T) {
    this.#value = next;
    try {
      localStorage.setItem(this.#key, this.#write(next));
    } catch {
      // Without storage the choice lives as long as the page.
    }
  }
}

function load<T>(key: string, read: (text: string) => T | null): T | null {
  try {
    const text = localStorage.getItem(key);
    return text === null ? null : read(text);
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
