import { describe, expect, it } from 'vitest';
import { byteParts, decodeUtf8, formatBytes, fromBase64, toBase64 } from './bytes';
import { contentNote, kindOf } from './content';
import { hexPreview, hexRow } from './hex';
import { highlightJson } from './highlight';
import { matchesFilter } from './match';
import { formatCount, formatRate, plural } from './number';
import { offsetParts, offsetTail, splitPath, streamUrl } from './path';
import { binned, lastMinute } from './rate';
import { looksLikeText, oneLine, previewParts, textPieces, visibleControls } from './text';

const utf8 = new TextEncoder();

describe('numbers and bytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [188_000, '188 kB'],
    [11_800_000, '11.8 MB'],
    [999_999, '1.0 MB'],
  ])('formatBytes(%i)', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it('groups counts, and gives rates a decimal while they are small', () => {
    expect(formatCount(1234567)).toBe('1,234,567');
    expect([0, 0.42, 9.94, 38.2].map(formatRate)).toEqual(['0', '0.4', '9.9', '38']);
    expect([plural(1, 'message'), plural(2, 'message')]).toEqual(['1 message', '2 messages']);
    expect(byteParts(1500)).toEqual({ value: '1.5', unit: 'kB' });
  });

  it('carries bytes through base64', () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    expect(fromBase64(' aG k= \n')).toEqual(utf8.encode('hi'));
    expect(fromBase64('not base64!')).toBeNull();
  });

  it('decodes UTF-8 only, and keeps a byte order mark', () => {
    expect(decodeUtf8(Uint8Array.of(0xff))).toBeNull();
    expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
    expect(decodeUtf8(Uint8Array.of(0x61, 0xe2, 0x82), true)).toBe('a');
  });
});

describe('paths and offsets', () => {
  it('keeps the leaf apart', () => {
    expect(splitPath('chat/4f2a/turns')).toEqual({ folder: 'chat/4f2a/', leaf: 'turns' });
    expect(splitPath('hello')).toEqual({ folder: '', leaf: 'hello' });
  });

  it('encodes every segment of a URL', () => {
    expect(streamUrl('http://h', 'a b/ü?#')).toBe('http://h/v1/stream/a%20b/%C3%BC%3F%23');
  });

  it('shows of an offset what differs', () => {
    expect(offsetTail('0000000000000000_0000000000018402')).toBe('018402');
    expect(offsetTail('0000000000000001_0000000012345678')).toBe('12345678');
    expect(offsetParts('0000000000000000_0000000000000000')).toEqual({
      zeros: '0000000000000000_000000000000000',
      rest: '0',
    });
  });
});

describe('matchesFilter', () => {
  it.each([
    ['', 'a/b', true],
    ['a/', 'a/b', true],
    ['B', 'a/b', false],
    ['b a/', 'a/b', true],
    ['b c', 'a/b', false],
    ['chat/*/turns', 'chat/4f2a/turns', true],
    ['chat/*/turns', 'chat/a/b/turns', false],
    ['chat/**', 'chat/a/b', true],
    ['chat/**', 'chats', false],
    ['**/turns', 'turns', true],
    ['**/turns', 'a/b/turns', true],
    ['a/**/z', 'a/z', true],
    ['t*s', 'turns', true],
    ['a.c*', 'abc', false],
  ])('%j on %j is %s', (filter, path, passes) => expect(matchesFilter(path, filter)).toBe(passes));
});

describe('text', () => {
  it('keeps a preview on one line', () => {
    expect(oneLine('a\r\nb\tc\u0000d')).toBe('a⏎b⇥c␀d');
    expect(visibleControls('a\r\nb\tc\u0000\u001b[31m')).toBe('a\r\nb\tc␀␛[31m');
  });

  it('splits a preview around its first string', () => {
    expect(previewParts('{"kind":"turn","n":1}')).toEqual({ head: '{"kind":', value: '"turn"', rest: ',"n":1}' });
    expect(previewParts('[1]')).toEqual({ head: '', value: '', rest: '[1]' });
  });

  it('cuts text into pieces that add up to it, and never inside a character', () => {
    const lines = Array.from({ length: 9000 }, (_, i) => `line ${i}`).join('\n');
    const unbroken = '🌊'.repeat(100_000);
    for (const text of [lines, unbroken, '', 'short']) expect(textPieces(text).join('')).toBe(text);
    for (const piece of textPieces(unbroken)) expect(piece.isWellFormed()).toBe(true);
    expect(
      textPieces(lines)
        .slice(0, -1)
        .every((piece) => piece.endsWith('\n')),
    ).toBe(true);
  });

  it('knows bytes from text', () => {
    expect(looksLikeText('hello\n\tworld')).toBe(true);
    expect(looksLikeText('\u0001\u0002\u0003')).toBe(false);
  });

  it('tones JSON without losing a character', () => {
    const text = '{"a": [1, "x", true]}';
    const spans = highlightJson(text);
    expect(spans.map((span) => span.text).join('')).toBe(text);
    expect(spans.map((span) => span.tone).join('')).toBe('pkpnpspap');
  });
});

describe('hex', () => {
  it('lays out rows and previews', () => {
    expect(hexRow(utf8.encode('{"kind":"x"}\n'), 0, 16)).toEqual({
      offset: '00000000',
      groups: ['7b 22 6b 69 6e 64 22 3a', '22 78 22 7d 0a'],
      ascii: '{"kind":"x"}.',
    });
    expect(hexPreview(Uint8Array.of(255, 0, 26), 2)).toBe('ff 00 …');
  });
});

describe('rate', () => {
  it('shifts as time goes on', () => {
    const rate = { at: 1000, counts: [1, 2, 3] };
    expect(lastMinute(rate, 1_000_000).slice(-4)).toEqual([0, 1, 2, 3]);
    expect(lastMinute(rate, 1_002_000).slice(-5)).toEqual([1, 2, 3, 0, 0]);
    expect(lastMinute(null, 0).every((n) => n === 0)).toBe(true);
  });

  it('adds neighbours', () => expect(binned([1, 2, 3, 4], 2)).toEqual([3, 7]));
});

describe('contentNote', () => {
  it.each([
    ['[1,2,{"a":3}]', 'json', true, 3],
    ['{"a":1}', 'json', true, 1],
    ['[]', 'json', false, 0],
    ['[1,', 'json', false, 0],
    ['plain', 'text', true, 1],
  ] as const)('%j as %s', (body, kind, ok, messages) => {
    expect(contentNote(body, kind, 'text')).toMatchObject({ ok, messages });
  });

  it('checks base64', () => {
    expect(contentNote('!!', 'bytes', 'base64').ok).toBe(false);
    expect(contentNote('aGk=', 'bytes', 'base64')).toMatchObject({ ok: true, text: '1 message, 2 B.' });
  });

  it('names kinds as the server does', () => {
    expect(['application/json; charset=utf-8', 'text/csv', 'image/png'].map(kindOf)).toEqual(['json', 'text', 'bytes']);
  });
});
