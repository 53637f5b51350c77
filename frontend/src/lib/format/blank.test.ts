import { describe, expect, it } from 'vitest';
import { visibleName, visiblePath } from './blank';

describe('visibleName', () => {
  it.each([
    ['turns', 'turns'],
    ['a b', 'a b'],
    [' ', '␣'],
    [' a  b ', '␣a␣␣b␣'],
    ['a\u200bb', 'a‹200B›b'],
    ['\u202etxt', '‹202E›txt'],
    ['\u00a0', '‹00A0›'],
    ['\t', '‹0009›'],
    ['ü 流れ 🌊', 'ü 流れ 🌊'],
  ])('%j is seen as %s', (name, seen) => expect(visibleName(name)).toBe(seen));

  it('looks at each part of a path', () => expect(visiblePath(' /a /b')).toBe('␣/a␣/b'));
});
