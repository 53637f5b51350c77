import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { curl, curlAppend, curlFollow, curlRepeat, requestCurl, shellQuote } from './curl';
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

  it('appends two messages where an array is taken apart, else one', () => {
    expect(run(curlAppend('u', 'application/json', true)).args.slice(-2)).toEqual(['--data-raw', '[{"n":1},{"n":2}]']);
    const args = ['-X', 'POST', 'u', '-H', 'Content-Type: text/x', '--data-raw', 'hello'];
    expect(run(curlAppend('u', 'text/x', false)).args).toEqual(args);
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

describe('requestCurl', () => {
  const header = (name: string, value: string, hidden = false) => ({ name, value, hidden });

  it('leaves out what is not kept and what curl sets itself', () => {
    const command = requestCurl('http://127.0.0.1:4437', {
      method: 'POST',
      target: '/v1/stream/a%2Fb',
      query: 'token=…&offset=-1',
      received: 12,
      request_headers: [
        header('Authorization', '', true),
        header('Content-Length', '12'),
        header('Content-Type', 'text/plain'),
        header('Producer-Id', "it's me"),
      ],
    });
    expect(command).toBe(
      [
        "curl -i -X POST 'http://127.0.0.1:4437/v1/stream/a%2Fb?offset=-1' \\",
        "  -H 'Content-Type: text/plain' \\",
        "  -H 'Producer-Id: it'\\''s me' \\",
        '  --data-binary @body.bin',
      ].join('\n'),
    );
  });

  it('follows a live read', () => {
    const query = 'offset=now&live=sse';
    expect(
      requestCurl('http://h', { method: 'GET', target: '/v1/stream/a', query, received: 0, request_headers: [] }),
    ).toBe("curl -i -N 'http://h/v1/stream/a?offset=now&live=sse'");
  });
});
