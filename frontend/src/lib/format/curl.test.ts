import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { curl, curlFollow, curlRepeat, shellQuote } from './curl';
import { commandSpans } from './shell';

const utf8 = new TextEncoder();

/** What a shell hands to curl: its arguments, or its standard input when it reads that. */
function run(command: string): { args: string[]; input: string } {
  const script = `curl() { printf '%s\\0' "$@"; case "$*" in *@-*) printf 'INPUT\\0'; base64 -w0;; esac; }\n${command}\n`;
  const [args = '', input = ''] = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('INPUT\0');
  return { args: args.split('\0').slice(0, -1), input };
}

describe('curl', () => {
  it.each(["it's", 'a\nb', '$HOME `x` "y" \\', '', '@file'])('hands %j through a shell', (body) => {
    const { args } = run(curl({ method: 'POST', url: 'http://h/v1/stream/a', headers: [['X', "o'o"]], body }));
    expect(args.slice(0, 5)).toEqual(['-X', 'POST', 'http://h/v1/stream/a', '-H', "X: o'o"]);
    expect(args.slice(5)).toEqual(body === '' ? [] : ['--data-raw', body]);
  });

  it('sends bytes that are no text as base64', () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
    const { args, input } = run(curlRepeat('http://h/v1/stream/a', 'application/octet-stream', false, bytes));
    expect(args.slice(-2)).toEqual(['--data-binary', '@-']);
    expect(Buffer.from(input, 'base64')).toEqual(Buffer.from(bytes));
  });

  it('wraps an array, or the server would take it apart', () => {
    expect(run(curlRepeat('u', 'application/json', true, utf8.encode(' [1,2]'))).args.at(-1)).toBe('[ [1,2]]');
    expect(run(curlRepeat('u', 'application/json', true, utf8.encode('{"a":1}'))).args.at(-1)).toBe('{"a":1}');
    expect(run(curlRepeat('u', 'text/plain', false, utf8.encode('[1]'))).args.at(-1)).toBe('[1]');
  });

  it('quotes only what needs it', () => {
    expect(shellQuote('http://h/a%20b')).toBe('http://h/a%20b');
    expect(curlFollow('http://h/a')).toBe("curl -N 'http://h/a?offset=-1&live=sse'");
  });

  it('tones a command without losing a character', () => {
    const command = "curl -X PUT http://h/a -H 'A: b' \\\n  -d 'x'";
    const spans = commandSpans(command);
    expect(spans.map((span) => span.text).join('')).toBe(command);
    expect(spans.map((span) => span.tone || '.').join('')).toBe('k.u.s.s');
  });
});
