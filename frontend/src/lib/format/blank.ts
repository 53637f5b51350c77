/**
 * Characters of a name that a screen does not show, or that change how others are shown: spaces at
 * its ends and in rows, other spaces, joiners, direction marks, fillers and controls.
 */
const BLANK =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /^ +| +$| {2,}|[\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff]|[\u{e0000}-\u{e0fff}]/gu;

/** A name as it can be seen: every such character is named. What is ordinary stays as it is. */
export function visibleName(name: string): string {
  return name.replace(BLANK, (found) => {
    if (/^ +$/.test(found)) return '␣'.repeat(found.length);
    const code = found.codePointAt(0) ?? 0;
    return `‹${code.toString(16).toUpperCase().padStart(4, '0')}›`;
  });
}

/** The same for a path: each of its parts is a name. */
export function visiblePath(path: string): string {
  return path.split('/').map(visibleName).join('/');
}
