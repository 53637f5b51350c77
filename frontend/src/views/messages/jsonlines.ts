import { membersOf, nodeAt, type JsonMember, type JsonNode } from '$lib/format/jsontree';

/** A visible line of the tree: a value, or the offer of more members. */
export type Line =
  | { kind: 'value'; id: string; level: number; key: string | null; node: JsonNode; open: boolean; count: number }
  | { kind: 'more'; id: string; level: number; parent: string; hidden: number };

/** Members of one object or array that are shown at first, and added each time more are asked for. */
export const MEMBERS_STEP = 100;

export interface TreeState {
  /** Which objects and arrays are open; the others are closed. */
  open: ReadonlySet<string>;
  /** How many members are shown where it is not MEMBERS_STEP. */
  shown: ReadonlyMap<string, number>;
}

/** The lines of a tree, reading only what is open. Ids are the places of values in the text. */
export function treeLines(text: string, { open, shown }: TreeState, counts: Map<string, number>): Line[] {
  const root = nodeAt(text, 0);
  if (root === null) return [];
  const lines: Line[] = [];
  const stack: { member: JsonMember; level: number }[] = [];
  const more: { at: number; line: Line }[] = [];
  stack.push({ member: { key: null, node: root }, level: 0 });
  while (stack.length > 0) {
    const pending = more.at(-1);
    if (pending !== undefined && pending.at === stack.length) {
      lines.push(pending.line);
      more.pop();
      continue;
    }
    const { member, level } = stack.pop() as { member: JsonMember; level: number };
    const { key, node } = member;
    const id = String(node.start);
    if (node.type !== 'object' && node.type !== 'array') {
      lines.push({ kind: 'value', id, level, key, node, open: false, count: 0 });
      continue;
    }
    const isOpen = open.has(id);
    const limit = isOpen ? (shown.get(id) ?? MEMBERS_STEP) : 0;
    const { members, count } =
      limit === 0 && counts.has(id) ? { members: [], count: counts.get(id) ?? 0 } : membersOf(text, node, limit);
    counts.set(id, count);
    lines.push({ kind: 'value', id, level, key, node, open: isOpen, count });
    if (!isOpen) continue;
    if (count > members.length) {
      more.push({
        at: stack.length,
        line: { kind: 'more', id: `${id}+`, level: level + 1, parent: id, hidden: count - members.length },
      });
    }
    const array = node.type === 'array';
    for (let i = members.length - 1; i >= 0; i--) {
      const child = members[i] as JsonMember;
      stack.push({ member: array ? { key: String(i), node: child.node } : child, level: level + 1 });
    }
  }
  for (const { line } of more.reverse()) lines.push(line);
  return lines;
}

/** What is open at first: the root, and the values inside it while they are small. */
export function openAtFirst(text: string): Set<string> {
  const root = nodeAt(text, 0);
  const open = new Set<string>();
  if (root === null || (root.type !== 'object' && root.type !== 'array')) return open;
  open.add(String(root.start));
  const SMALL = 2048;
  for (const { node } of membersOf(text, root, MEMBERS_STEP).members) {
    const container = node.type === 'object' || node.type === 'array';
    if (container && root.end - root.start <= SMALL) open.add(String(node.start));
  }
  return open;
}
