import { untrack } from 'svelte';
import type { FilterWay } from '$lib/api/streams';
import type { Zone } from '$lib/format/time';
import { asBoolean, asNumber, heard, oneOf, Remembered } from './remembered.svelte';
import { router } from './router.svelte';

export type Theme = 'system' | 'light' | 'dark';
export type Layout = 'tree' | 'flat';

/** A filter of messages that was used. */
export interface Find {
  by: FilterWay;
  pattern: string;
}

const RECENT_LIMIT = 8;
/** How many filters of a kind are remembered, and how long one may be. */
const FIND_LIMIT = 8;
const FIND_LENGTH = 400;

const WAYS: FilterWay[] = ['text', 'regex', 'path'];

// No path holds a line end.
const asLines = (text: string) => text.split('\n').filter((line) => line !== '');
const joinLines = (lines: string[]) => lines.join('\n');

/** What is remembered of how a person likes to look. */
export const prefs = {
  theme: new Remembered<Theme>('theme', 'system', oneOf('system', 'light', 'dark')),
  zone: new Remembered<Zone>('zone', 'local', oneOf('local', 'utc')),
  layout: new Remembered<Layout>('layout', 'tree', oneOf('tree', 'flat')),
  system: new Remembered('system', false, asBoolean),
  /** How the list of streams was filtered and sorted last, as a query. */
  streams: new Remembered('streams', '', String, String, 'server only'),
  /** How the requests of all streams were filtered last, as a query. */
  requests: new Remembered('requests', '', String, String, 'server only'),
  finds: new Remembered<Find[]>('finds', [], asFinds, formatFinds, 'server only'),
  asideWidth: new Remembered('aside.width', 304, asNumber),
  asideHeight: new Remembered('aside.height', 152, asNumber),
  detailWidth: new Remembered('detail.width', 384, asNumber),
  detailHeight: new Remembered('detail.height', 240, asNumber),
  failuresSeen: new Remembered('failures.seen', 0, asNumber, String, 'server only'),
  recent: new Remembered<string[]>('recent', [], asLines, joinLines, 'server only'),
};

/** Filters as a query. */
function asFinds(text: string): Find[] {
  return [...new URLSearchParams(text)].flatMap(([name, pattern]) =>
    WAYS.filter((by) => by === name).map((by) => ({ by, pattern })),
  );
}

function formatFinds(finds: Find[]): string {
  return new URLSearchParams(finds.map(({ by, pattern }) => [by, pattern])).toString();
}

/** The filter that was used last comes first; of each kind only some are kept. */
export async function rememberFind(by: FilterWay, pattern: string): Promise<void> {
  await heard; // else the history would begin anew with this one
  if (pattern.length > FIND_LENGTH) return;
  const others = prefs.finds.value.filter((find) => find.by !== by || find.pattern !== pattern);
  const dropped = others.filter((find) => find.by === by).slice(FIND_LIMIT - 1);
  prefs.finds.value = [{ by, pattern }, ...others.filter((find) => !dropped.includes(find))];
}

/**
 * Remembers how a screen is filtered, for as long as it is open: what is changed there, not the address that
 * leads to it.
 */
export function rememberFilter(keys: readonly string[], take: (query: string) => void): void {
  let last = router.only(keys);
  $effect(() => {
    const next = router.only(keys);
    if (next !== last) untrack(() => take(next));
    last = next;
  });
}

export async function rememberVisit(path: string): Promise<void> {
  await heard; // else the list would begin anew with this one
  if (prefs.recent.value[0] === path) return;
  prefs.recent.value = [path, ...prefs.recent.value.filter((other) => other !== path)].slice(0, RECENT_LIMIT);
}

export function forgetVisits(paths: readonly string[]): void {
  const kept = prefs.recent.value.filter((path) => !paths.includes(path));
  if (kept.length !== prefs.recent.value.length) prefs.recent.value = kept;
}
