import { skipScalar, skipSpace, skipString } from './json';

/** A value inside JSON text: where it stands, not what it would be as a JavaScript value. */
export interface JsonNode {
  type: 'object' | 'array' | 'string' | 'number' | 'atom';
  start: number;
  end: number;
  /** False when the text ends inside it. */
  whole: boolean;
}

export interface JsonMember {
  /** The key as written, quotes and all; null in an array. */
  key: string | null;
  node: JsonNode;
}

export interface JsonMembers {
  members: JsonMember[];
  count: number;
}

/** The value that starts at or after `from`; null when there is none. */
export function nodeAt(text: string, from: number): JsonNode | null {
  const start = skipSpace(text, from);
  const c = text[start];
  if (c === undefined) return null;
  if (c === '{' || c === '[') {
    const end = skipContainer(text, start);
    return { type: c === '{' ? 'object' : 'array', start, end: end < 0 ? text.length : end, whole: end >= 0 };
  }
  if (c === '"') {
    const end = skipString(text, start);
    return { type: 'string', start, end, whole: end - start > 1 && endsString(text, start, end) };
  }
  const end = skipScalar(text, start);
  return { type: c === '-' || (c >= '0' && c <= '9') ? 'number' : 'atom', start, end, whole: true };
}

function endsString(text: string, start: number, end: number): boolean {
  if (end < text.length) return true;
  let slashes = 0;
  for (let i = end - 2; i > start && text[i] === '\\'; i--) slashes++;
  return text[end - 1] === '"' && slashes % 2 === 0;
}

/** The end of the object or array that opens at `start`, or -1 when the text ends first. */
function skipContainer(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) i = skipString(text, i) - 1;
    else if (c === 0x7b || c === 0x5b) depth++;
    else if ((c === 0x7d || c === 0x5d) && --depth === 0) return i + 1;
  }
  return -1;
}

/** The first `limit` members of an object or array, and how many there are in all. */
export function membersOf(text: string, parent: JsonNode, limit: number): JsonMembers {
  const members: JsonMember[] = [];
  let count = 0;
  let i = skipSpace(text, parent.start + 1);
  while (i < parent.end) {
    const c = text[i];
    if (c === '}' || c === ']') break;
    if (c === ',') {
      i = skipSpace(text, i + 1);
      continue;
    }
    let key: string | null = null;
    if (parent.type === 'object') {
      const keyEnd = skipString(text, i);
      key = text.slice(i, keyEnd);
      i = skipSpace(text, keyEnd);
      if (text[i] !== ':') break;
      i = skipSpace(text, i + 1);
    }
    const node = nodeAt(text, i);
    if (node === null) break;
    count++;
    if (members.length < limit) members.push({ key, node });
    i = skipSpace(text, node.end);
  }
  return { members, count };
}
