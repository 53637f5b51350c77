import { describe, expect, it } from 'vitest';
import { checkJson, prettyJson } from './json';

function problem(text: string): string {
  const check = checkJson(text);
  return check.ok ? 'valid' : `${check.error.line}:${check.error.column} ${check.error.message}`;
}

describe('checkJson', () => {
  it.each([
    '0',
    '-1.5e+10',
    '"a\\u00e9\\n"',
    'null',
    '[]',
    '{}',
    ' [1, {"a": [true, false]}, "]"] ',
    '{"a":1,"a":2}',
    '[[[[[]]]]]',
  ])('accepts %s', (text) => expect(problem(text)).toBe('valid'));

  it.each([
    ['', '1:1 There is no value.'],
    ['01', '1:2 There is more text after the end of the value.'],
    ['[1,]', '1:4 Expected a value.'],
    ['{"a":1,}', '1:8 Expected a key in double quotes.'],
    ['{a:1}', '1:2 Expected a key in double quotes or }.'],
    ['{"a" 1}', '1:6 Expected a colon after the key.'],
    ['[1 2]', '1:4 Expected a comma or ].'],
    ['{"a":1]', '1:7 Expected a comma or }.'],
    ['"a\nb"', '1:3 A control character in a string must be escaped.'],
    ['"\\x"', '1:2 This escape is not known to JSON.'],
    ['"\\u12g4"', '1:2 Expected four hex digits after \\u.'],
    ['"abc', '1:1 The string that starts here is not closed.'],
    ['[1,\n  tru]', '2:3 Expected a value.'],
    ['{"a":[1', '1:8 The text ends inside an array.'],
    ["'a'", '1:1 Expected a value.'],
  ])('says what is wrong with %j', (text, said) => expect(problem(text)).toBe(said));

  it('agrees with the platform about what is valid', () => {
    const pieces = ['{', '}', '[', ']', ',', ':', '"a"', '1', '-0.5e3', 'null', ' ', '"'];
    let seed = 7;
    const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
    for (let i = 0; i < 20_000; i++) {
      const text = Array.from({ length: random(9) }, () => pieces[random(pieces.length)]).join('');
      let valid = true;
      try {
        // eslint-disable-next-line no-restricted-properties
        JSON.parse(text);
      } catch {
        valid = false;
      }
      expect(checkJson(text).ok, text).toBe(valid);
    }
  });

  it('counts the elements of a top-level array only', () => {
    expect(checkJson('[1,[2,3],{"a":[4]}]')).toEqual({ ok: true, elements: 3 });
    expect(checkJson('[]')).toEqual({ ok: true, elements: 0 });
    expect(checkJson('{"a":[1,2]}')).toEqual({ ok: true, elements: null });
  });

  it('takes any depth', () => {
    const deep = 100_000;
    expect(checkJson('['.repeat(deep) + ']'.repeat(deep)).ok).toBe(true);
  });
});

describe('prettyJson', () => {
  it('keeps numbers, escapes, order and duplicates as they were written', () => {
    const text = '{"b":9007199254740993,"a":1.10,"a":1e400,"s":"\\u00e9\\/ {,}","e":{},"l":[ ]}';
    expect(prettyJson(text)).toBe(
      '{\n  "b": 9007199254740993,\n  "a": 1.10,\n  "a": 1e400,\n  "s": "\\u00e9\\/ {,}",\n  "e": {},\n  "l": []\n}',
    );
  });

  it('indents the beginning of a document that is cut', () => {
    expect(prettyJson('{"a":[1,"x')).toBe('{\n  "a": [\n    1,\n    "x');
  });
});
