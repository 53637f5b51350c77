import { describe, expect, it } from 'vitest';
import type { Stream } from '$lib/api/types';
import { entryRow, flatRows, treeRows, type Row } from './rows';

function streams(...paths: string[]): Stream[] {
  return paths.sort().map((path) => ({ path }) as Stream);
}

function draw(rows: Row[]): string[] {
  return rows.map((row) => {
    const name = row.kind === 'folder' ? `${row.name} ${row.count}` : `${row.folder}|${row.leaf}`;
    return '  '.repeat(row.level) + name;
  });
}

describe('treeRows', () => {
  it('groups by the first folder and leaves small inner ones in the name', () => {
    const list = streams('agents/planner/inbox', 'agents/planner/wake', 'agents/x', 'hello', 'solo/one');
    expect(draw(treeRows(list, new Set()))).toEqual([
      'agents/ 3',
      '  planner/|inbox',
      '  planner/|wake',
      '  |x',
      '|hello',
      'solo/|one',
    ]);
  });

  it('gives a large inner folder a row of its own', () => {
    const many = Array.from({ length: 12 }, (_, i) => `orders/eu/${String(i).padStart(2, '0')}`);
    const rows = draw(treeRows(streams(...many, 'orders/us/a'), new Set()));
    expect(rows.slice(0, 3)).toEqual(['orders/ 13', '  eu/ 12', '    |00']);
    expect(rows.at(-1)).toBe('  us/|a');
  });

  it('looks into a folder that is all that another one holds', () => {
    const many = Array.from({ length: 12 }, (_, i) => `org/team/log/${String(i).padStart(2, '0')}`);
    const rows = draw(treeRows(streams(...many, 'org/team/a', 'org/team/b/c'), new Set()));
    expect(rows.slice(0, 5)).toEqual(['org/ 14', '  team/|a', '  team/b/|c', '  team/log/ 12', '    |00']);
  });

  it('hides what a closed folder holds', () => {
    expect(draw(treeRows(streams('a/1', 'a/2', 'b'), new Set(['a/'])))).toEqual(['a/ 2', '|b']);
  });

  it('survives odd paths', () => {
    expect(draw(treeRows(streams('a//x', 'a/', 'a/b/'), new Set()))).toEqual(['a/ 3', '  |', '  /|x', '  b/|']);
  });
});

it('flatRows keeps whole paths', () => {
  expect(draw(flatRows(streams('a/b/c')))).toEqual(['a/b/|c']);
});

it('entryRow names a row by what comes behind the folder around', () => {
  const entry = { level: 1, parent: 0, around: 'a/ö/', stream: null, folder: null };
  const folder = { prefix: 'a/ö/c/', open: false, streams: 12, bytes: 3, last_append_at: null };
  const rows = [
    { ...entry, stream: { path: 'a/ö/b/x' } as Stream },
    { ...entry, folder },
  ].flatMap((row) => entryRow(row) ?? []);
  expect(draw(rows)).toEqual(['  b/|x', '  c/ 12']);
});
