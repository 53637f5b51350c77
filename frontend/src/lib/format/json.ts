/**
 * JSON as text. Numbers, escapes, key order and duplicate keys are shown exactly as they were
 * written, so nothing here turns a document into JavaScript values: it is checked, walked and
 * re-indented in place. Nothing recurses, so depth costs no stack.
 */

export interface JsonError {
  at: number;
  line: number;
  column: number;
  message: string;
}

export type JsonCheck = { ok: true; elements: number | null } | { ok: false; error: JsonError };

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ATOM = /true|false|null/y;
const HEX4 = /[0-9a-fA-F]{4}/y;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

type Expect = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma' | 'end';

const EXPECTED: Record<Expect, string> = {
  value: 'a value',
  'value or ]': 'a value or ]',
  key: 'a key in double quotes',
  'key or }': 'a key in double quotes or }',
  colon: 'a colon',
  comma: 'a comma',
  end: 'nothing more',
};

/** Checks a whole document against RFC 8259. `elements` counts a top-level array. */
export function checkJson(text: string): JsonCheck {
  const open: ('{' | '[')[] = [];
  let expect: Expect = 'value';
  let elements: number | null = null;
  let i = skipSpace(text, 0);
  const fail = (at: number, message: string): JsonCheck => ({ ok: false, error: locate(text, at, message) });
  const afterValue = (): Expect => (open.length === 0 ? 'end' : 'comma');
  const beforeValue = () => {
    if (open.length === 1 && open[0] === '[') elements = (elements ?? 0) + 1;
  };

  while (i < text.length) {
    const c = text[i] as string;
    const inside = open[open.length - 1];
    if (expect === 'end') return fail(i, 'There is more text after the end of the value.');
    if (expect === 'colon') {
      if (c !== ':') return fail(i, 'Expected a colon after the key.');
      expect = 'value';
      i = skipSpace(text, i + 1);
      continue;
    }
    if (expect === 'comma') {
      if (c === ',') expect = inside === '{' ? 'key' : 'value';
      else if (c === (inside === '{' ? '}' : ']')) {
        open.pop();
        expect = afterValue();
      } else return fail(i, `Expected a comma or ${inside === '{' ? '}' : ']'}.`);
      i = skipSpace(text, i + 1);
      continue;
    }
    if ((expect === 'key or }' && c === '}') || (expect === 'value or ]' && c === ']')) {
      open.pop();
      expect = afterValue();
      i = skipSpace(text, i + 1);
      continue;
    }
    if (expect === 'key' || expect === 'key or }') {
      if (c !== '"') return fail(i, `Expected ${EXPECTED[expect]}.`);
      const end = checkString(text, i);
      if (typeof end !== 'number') return fail(end.at, end.message);
      expect = 'colon';
      i = skipSpace(text, end);
      continue;
    }
    beforeValue();
    if (c === '{' || c === '[') {
      if (c === '[' && open.length === 0) elements = 0;
      open.push(c);
      expect = c === '{' ? 'key or }' : 'value or ]';
      i = skipSpace(text, i + 1);
      continue;
    }
    let end: number;
    if (c === '"') {
      const checked = checkString(text, i);
      if (typeof checked !== 'number') return fail(checked.at, checked.message);
      end = checked;
    } else {
      end = matchAt(NUMBER, text, i) || matchAt(ATOM, text, i);
      if (end === 0) return fail(i, `Expected ${EXPECTED[expect]}.`);
    }
    expect = afterValue();
    i = skipSpace(text, end);
  }
  if (expect === 'end') return { ok: true, elements };
  if (open.length === 0) return fail(text.length, 'There is no value.');
  return fail(text.length, `The text ends inside ${open[open.length - 1] === '{' ? 'an object' : 'an array'}.`);
}

function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : 0;
}

function checkString(text: string, start: number): number | { at: number; message: string } {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i + 1;
    if (c < 0x20) return { at: i, message: 'A control character in a string must be escaped.' };
    if (c !== BACKSLASH) continue;
    const escape = text[++i] ?? '';
    if (escape === 'u') {
      if (matchAt(HEX4, text, i + 1) === 0) return { at: i - 1, message: 'Expected four hex digits after \\u.' };
      i += 4;
    } else if (!'"\\/bfnrt'.includes(escape) || escape === '') {
      return { at: i - 1, message: 'This escape is not known to JSON.' };
    }
  }
  return { at: start, message: 'The string that starts here is not closed.' };
}

function locate(text: string, at: number, message: string): JsonError {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  return { at, line, column, message };
}

export function skipSpace(text: string, from: number): number {
  let i = from;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
  }
  return i;
}

/** Where the string that starts at `start` ends; the end of the text when it is cut. */
export function skipString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i++;
    else if (c === QUOTE) return i + 1;
  }
  return text.length;
}

/** Re-indents a document, or the beginning of one, and leaves every token as it is. */
export function prettyJson(text: string): string {
  return [...prettyPieces(text)].join('');
}

const PRETTY_PIECE = 16 * 1024;

/** The same in pieces that end with a line, for documents too large to do at once. */
export function* prettyPieces(text: string): Generator<string> {
  let out: string[] = [];
  let length = 0;
  let depth = 0;
  const newline = () => '\n' + '  '.repeat(depth);
  for (let i = skipSpace(text, 0); i < text.length; i = skipSpace(text, i)) {
    const from = i;
    const c = text[i] as string;
    if (c === '{' || c === '[') {
      const next = skipSpace(text, i + 1);
      if (text[next] === (c === '{' ? '}' : ']')) {
        out.push(c, text[next] as string);
        i = next + 1;
        continue;
      }
      depth++;
      out.push(c, newline());
      i++;
    } else if (c === '}' || c === ']') {
      depth = Math.max(0, depth - 1);
      out.push(newline(), c);
      i++;
    } else if (c === ',') {
      out.push(c);
      length += i + 1 - from;
      if (length > PRETTY_PIECE) {
        // The break that belongs here ends the piece; the indent begins the next one.
        out.push('\n');
        yield out.join('');
        out = ['  '.repeat(depth)];
        length = 0;
      } else out.push(newline());
      i++;
      continue;
    } else if (c === ':') {
      out.push(': ');
      i++;
    } else {
      const end = c === '"' ? skipString(text, i) : skipScalar(text, i);
      out.push(text.slice(i, end));
      i = end;
    }
    length += i - from;
  }
  yield out.join('');
}

/** Where a number, true, false or null ends. */
export function skipScalar(text: string, start: number): number {
  let i = start;
  while (i < text.length && !',:[]{}" \n\r\t'.includes(text[i] as string)) i++;
  return Math.max(i, start + 1);
}
