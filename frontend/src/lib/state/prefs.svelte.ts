import type { Zone } from '$lib/format/time';
import { asBoolean, asNumber, heard, oneOf, Remembered } from './remembered.svelte';

export type Theme = 'system' | 'light' | 'dark';
export type Layout = 'tree' | 'flat';

const RECENT_LIMIT = 8;

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
  asideWidth: new Remembered('aside.width', 304, asNumber),
  asideHeight: new Remembered('aside.height', 152, asNumber),
  detailWidth: new Remembered('detail.width', 384, asNumber),
  detailHeight: new Remembered('detail.height', 240, asNumber),
  failuresSeen: new Remembered('failures.seen', 0, asNumber, String, 'server only'),
  recent: new Remembered<string[]>('recent', [], asLines, joinLines, 'server only'),
};

export async function rememberVisit(path: string): Promise<void> {
  await heard; // else the list would begin anew with this one
  if (prefs.recent.value[0] === path) return;
  prefs.recent.value = [path, ...prefs.recent.value.filter((other) => other !== path)].slice(0, RECENT_LIMIT);
}

export function forgetVisits(paths: readonly string[]): void {
  const kept = prefs.recent.value.filter((path) => !paths.includes(path));
  if (kept.length !== prefs.recent.value.length) prefs.recent.value = kept;
}
