import { describe, expect, it } from 'vitest';
import { membersOf, nodeAt, type JsonNode } from './jsontree';

function root(text: string): JsonNode {
  const node = nodeAt(text, 0);
  if (node === null) throw new Error('no value');
  return node;
}

function shown(text: string, limit = 100): string[] {
  return membersOf(text, root(text), limit).members.map(
    ({ key, node }) => `${key ?? '-'}=${node.type}:${text.slice(node.start, node.end)}`,
  );
}

describe('membersOf', () => {
  it('reads the members of an object in order, duplicates and all', () => {
    expect(shown('{"a": 1.0, "b" : "x\\"]", "a":[1,{}], "c":null}')).toEqual([
      '"a"=number:1.0',
      '"b"=string:"x\\"]"',
      '"a"=array:[1,{}]',
      '"c"=atom:null',
    ]);
  });

  it('counts what it does not return', () => {
    const text = `[${Array.from({ length: 5000 }, (_, i) => i).join(',')}]`;
    const { members, count } = membersOf(text, root(text), 10);
    expect(members).toHaveLength(10);
    expect(count).toBe(5000);
  });

  it('reads what there is of a document that is cut', () => {
    const text = '{"a":[1,2,{"b":"unfinis';
    const { members, count } = membersOf(text, root(text), 10);
    expect(count).toBe(1);
    const list = members[0]?.node as JsonNode;
    expect(list.whole).toBe(false);
    expect(membersOf(text, list, 10).count).toBe(3);
  });

  it('tells a string that is cut from one that ends there', () => {
    expect(root('"abc"').whole).toBe(true);
    expect(root('"abc').whole).toBe(false);
    expect(root('"ab\\"').whole).toBe(false);
    expect(root('"').whole).toBe(false);
  });
});
