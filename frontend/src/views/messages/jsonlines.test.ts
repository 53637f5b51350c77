import { describe, expect, it } from 'vitest';
import { MEMBERS_STEP, openAtFirst, treeLines } from './jsonlines';

function draw(text: string, open: Iterable<string>, shown = new Map<string, number>()): string[] {
  return treeLines(text, { open: new Set(open), shown }, new Map()).map((line) => {
    const indent = '  '.repeat(line.level);
    if (line.kind === 'more') return `${indent}${line.hidden} more`;
    const { type, start, end } = line.node;
    const value = type === 'object' || type === 'array' ? `${type} ${line.count}` : text.slice(start, end);
    return `${indent}${line.key ?? ''}:${value}`;
  });
}

describe('treeLines', () => {
  it('shows what is open, in order', () => {
    const text = '{"a":[1,{"b":2}],"c":"x"}';
    expect(draw(text, ['0', '5', '8'])).toEqual([
      ':object 2',
      '  "a":array 2',
      '    0:1',
      '    1:object 1',
      '      "b":2',
      '  "c":"x"',
    ]);
    expect(draw(text, ['0'])).toEqual([':object 2', '  "a":array 2', '  "c":"x"']);
    expect(draw(text, [])).toEqual([':object 2']);
  });

  it('offers the rest of a long array after its members', () => {
    const text = `[[${Array.from({ length: 250 }, (_, i) => i).join(',')}],"after"]`;
    const lines = draw(text, ['0', '1']);
    expect(lines).toHaveLength(2 + MEMBERS_STEP + 2);
    expect(lines.at(-2)).toBe('    150 more');
    expect(lines.at(-1)).toBe('  1:"after"');
    expect(draw(text, ['0', '1'], new Map([['1', 250]]))).toHaveLength(2 + 250 + 1);
  });

  it('opens a small document one level further', () => {
    expect([...openAtFirst('{"a":[1]}')]).toEqual(['0', '5']);
    expect([...openAtFirst(`{"a":["${'x'.repeat(3000)}"]}`)]).toEqual(['0']);
    expect([...openAtFirst('1')]).toEqual([]);
  });
});
