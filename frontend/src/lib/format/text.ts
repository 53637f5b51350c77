/** Text cut into pieces that the browser can lay out one at a time. */
const PIECE = 16 * 1024;
const LONGEST = 64 * 1024;

/** Cuts at line ends where there are any, and inside a line only when it is very long. */
export function textPieces(text: string): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length;) {
    let end = Math.min(text.length, start + PIECE);
    if (end < text.length) {
      const newline = text.indexOf('\n', end - 1);
      if (newline >= 0 && newline - start < LONGEST) end = newline + 1;
      else end = wholeCharacter(text, Math.min(text.length, start + LONGEST));
    }
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

function wholeCharacter(text: string, at: number): number {
  const c = text.charCodeAt(at - 1);
  return c >= 0xd800 && c < 0xdc00 ? at - 1 : at;
}

/** Text as it is, but with signs for the control characters that a browser would not show. */
export function visibleControls(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, controlSign);
}

function controlSign(c: string): string {
  return c === '\u007f' ? '␡' : String.fromCharCode(0x2400 + c.charCodeAt(0));
}

/** One line of any text: breaks and control characters become visible signs. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\r\n|[\u0000-\u001f\u007f]/g, (c) => {
    if (c === '\n' || c === '\r\n' || c === '\r') return '⏎';
    if (c === '\t') return '⇥';
    return controlSign(c);
  });
}

export interface PreviewParts {
  head: string;
  value: string;
  rest: string;
}

const FIRST_STRING = /^(\{\s*"[^"\\]{1,40}"\s*:\s*)("(?:[^"\\]|\\.){0,60}")/;

/** Splits a JSON object's preview around its first string value: that is what rows differ in. */
export function previewParts(line: string): PreviewParts {
  const match = FIRST_STRING.exec(line);
  if (match === null) return { head: '', value: '', rest: line };
  const [whole, head = '', value = ''] = match;
  return { head, value, rest: line.slice(whole.length) };
}

/** Control characters that text has no use for may be this part of it. */
const CONTROLS_ALLOWED = 0.3;
const SAMPLE = 4096;

/** Whether decoded text is worth showing as text, or rather as bytes. */
export function looksLikeText(text: string): boolean {
  const sample = text.slice(0, SAMPLE);
  // eslint-disable-next-line no-control-regex
  const controls = sample.match(/[\u0000-\u0008\u000e-\u001f]/g)?.length ?? 0;
  return controls <= sample.length * CONTROLS_ALLOWED;
}
