import { isAbort } from '$lib/api/errors';
import type { Folder, Stream } from '$lib/api/types';

const PAGE = 100;
/** Pages kept in memory, however many streams there are. */
const KEPT = 16;

/** A row of a long list: a stream, or a folder of the tree. */
export interface Entry {
  level: number;
  /** Row of the folder around, -1 for none. */
  parent: number;
  /** Prefix of that folder: the name is what comes behind it. */
  around: string;
  stream: Stream | null;
  folder: Folder | null;
}

export type ReadPage = (from: number, limit: number, signal: AbortSignal) => Promise<Entry[]>;

/** Rows of a list too long to hold: pages by index, read as they are looked at. */
export class StreamPages {
  #read: ReadPage;
  #pages = new Map<number, Entry[]>();
  #version = $state(0);
  #wanted: [number, number] = [0, 0];
  #stale = false;
  #controller: AbortController | null = null;

  constructor(read: ReadPage) {
    this.#read = read;
  }

  at(index: number): Entry | undefined {
    void this.#version;
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Says which rows are on screen. */
  async look(first: number, last: number): Promise<void> {
    this.#wanted = [Math.floor(Math.max(0, first) / PAGE), Math.floor(Math.max(0, last) / PAGE)];
    await this.#fill();
  }

  /** Reads what is on screen again: rows may have moved. */
  async refresh(): Promise<void> {
    this.#stale = true;
    await this.#fill();
  }

  /** Works in what changed about streams that are here. */
  patch(changed: ReadonlyMap<string, Stream>): void {
    for (const [page, rows] of this.#pages) {
      if (rows.some(({ stream }) => stream !== null && changed.has(stream.path))) {
        this.#pages.set(
          page,
          rows.map((row) => ({ ...row, stream: row.stream && (changed.get(row.stream.path) ?? row.stream) })),
        );
      }
    }
    this.#version++;
  }

  find(path: string): { stream: Stream; index: number } | undefined {
    const index = this.#indexOf(({ stream }) => stream?.path === path);
    const stream = index < 0 ? null : this.at(index)?.stream;
    return stream ? { stream, index } : undefined;
  }

  /** The row of a folder, -1 when it is not here. */
  findFolder(prefix: string): number {
    return this.#indexOf(({ folder }) => folder?.prefix === prefix);
  }

  #indexOf(is: (row: Entry) => boolean): number {
    void this.#version;
    for (const [page, rows] of this.#pages) {
      const at = rows.findIndex(is);
      if (at >= 0) return page * PAGE + at;
    }
    return -1;
  }

  dispose(): void {
    this.#controller?.abort();
  }

  /** Reads the wanted pages that are not here, or all of them when rows may have moved. */
  async #fill(): Promise<void> {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    const [first, last] = this.#wanted;
    const again = this.#stale;
    const fresh: [number, Entry[]][] = [];
    try {
      for (let page = first; page <= last; page++) {
        if (again || !this.#pages.has(page)) fresh.push([page, await this.#read(page * PAGE, PAGE, controller.signal)]);
      }
    } catch (error) {
      // Somebody looks elsewhere by now, and reads what is still missing.
      if (isAbort(error)) return;
      throw error;
    }
    if (controller.signal.aborted || fresh.length === 0) return;
    // Other pages are as old as these were: they are read again when they are looked at.
    if (again) {
      this.#pages.clear();
      this.#stale = false;
    }
    for (const [page, rows] of fresh) this.#pages.set(page, rows);
    for (const page of this.#pages.keys()) {
      if (this.#pages.size <= KEPT) break;
      if (page < first || page > last) this.#pages.delete(page);
    }
    this.#version++;
  }
}
