/**
 * Whether a stream path passes the list filter, as the server decides it: by words that it contains,
 * or by a glob when there is a `*`. There `*` stands for one segment or a part of one, `**` for any number.
 */
export function matchesFilter(path: string, filter: string): boolean {
  if (!filter.includes('*')) return filter.split(' ').every((word) => path.includes(word));
  return matchSegments(filter.split('/'), path.split('/'));
}

/** Walks both lists once; on a mismatch only the latest `**` takes over more. */
function matchSegments(glob: string[], path: string[]): boolean {
  let g = 0;
  let p = 0;
  let star = -1;
  let resume = 0;
  while (p < path.length) {
    const pattern = glob[g];
    if (pattern === '**') {
      star = g++;
      resume = p;
    } else if (pattern !== undefined && matchSegment(pattern, path[p] as string)) {
      g++;
      p++;
    } else if (star >= 0) {
      p = ++resume;
      g = star + 1;
    } else {
      return false;
    }
  }
  while (glob[g] === '**') g++;
  return g === glob.length;
}

function matchSegment(pattern: string, segment: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`, 's').test(segment);
}
