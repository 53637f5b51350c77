import type { Folder, Stream } from '$lib/api/types';
import type { Entry } from '$lib/state/streampages.svelte';

/** A row of the list: a folder, or a stream under the folders that have a row of their own. */
export type Row =
  | { kind: 'folder'; id: string; name: string; level: number; count: number; open: boolean; sums?: Folder }
  | { kind: 'stream'; id: string; stream: Stream; level: number; folder: string; leaf: string };

/** A folder inside a folder gets a row of its own from so many streams on. */
const OWN_ROW = 10;
/** A folder at the top already from two. */
const OWN_ROW_AT_TOP = 2;

export function flatRows(streams: readonly Stream[]): Row[] {
  return streams.map((stream) => streamRow(stream, 0, 0));
}

/** A row of a long list, which the server has made. */
export function entryRow({ level, around, stream, folder }: Entry): Row | undefined {
  if (stream !== null) return streamRow(stream, around.length, level);
  if (folder === null) return undefined;
  const { prefix, streams, open } = folder;
  return { kind: 'folder', id: prefix, name: prefix.slice(around.length), level, count: streams, open, sums: folder };
}

/** Groups streams that are sorted by path. Small inner folders stay part of the name. */
export function treeRows(streams: readonly Stream[], closed: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  addLevel(rows, streams, 0, streams.length, '', '', 0, closed);
  return rows;
}

/**
 * Goes through what a folder holds, as the server does for long lists. Names begin behind the folder that has the
 * row; prefix is longer where a folder holds nothing but another one.
 */
function addLevel(
  rows: Row[],
  streams: readonly Stream[],
  from: number,
  to: number,
  around: string,
  prefix: string,
  level: number,
  closed: ReadonlySet<string>,
): void {
  for (let i = from; i < to;) {
    const stream = streams[i] as Stream;
    const slash = stream.path.indexOf('/', prefix.length);
    const folder = slash < 0 ? '' : stream.path.slice(0, slash + 1);
    let end = i + 1;
    while (folder !== '' && end < to && streams[end]?.path.startsWith(folder)) end++;
    if (folder !== '' && level > 0 && end - i === to - from) {
      addLevel(rows, streams, i, end, around, folder, level, closed);
    } else if (folder !== '' && end - i >= (level === 0 ? OWN_ROW_AT_TOP : OWN_ROW)) {
      const open = !closed.has(folder);
      rows.push({ kind: 'folder', id: folder, name: folder.slice(around.length), level, count: end - i, open });
      if (open) addLevel(rows, streams, i, end, folder, folder, level + 1, closed);
    } else {
      for (let k = i; k < end; k++) rows.push(streamRow(streams[k] as Stream, around.length, level));
    }
    i = end;
  }
}

function streamRow(stream: Stream, begin: number, level: number): Row {
  const rest = stream.path.slice(begin);
  const cut = rest.lastIndexOf('/') + 1;
  return { kind: 'stream', id: stream.path, stream, level, folder: rest.slice(0, cut), leaf: rest.slice(cut) };
}
