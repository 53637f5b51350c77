import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { curl, curlAppend, curlFollow, curlRepeat, requestCurl, shellQuote } from './curl';
import { commandSpans } from './shell';

const utf8 = new TextEncoder();
const open = { url: 'http://h', tokens: false };
const guarded = { url: 'http://h', tokens: true };

/** What a shell hands to curl: its arguments, or its standard input when it reads that. */
function run(command: string, env = process.env): { args: string[]; input: string } {
  const script = `curl() { printf '%s\\0' "$@"; case "$*" in *@-*) printf 'INPUT\\0'; base64 -w0;; esac; }\n${command}\n`;
  const [args = '', input = ''] = execFileSync('sh', ['-c', script], { encoding: 'utf8', env }).split('INPUT\0');
  return { args: args.split('\0').slice(0, -1), input };
}

describe('curl', () => {
  it.each(["it's", 'a\nb', '$HOME `x` "y" \\', '', '@file'])('hands %j through a shell', (body) => {
    const { args } = run(curl(open, { method: 'POST', path: 'a', headers: [['X', "o'o"]], body }));
    expect(args.slice(0, 5)).toEqual(['-X', 'POST', 'http://h/v1/stream/a', '-H', "X: o'o"]);
    expect(args.slice(5)).toEqual(body === '' ? [] : ['--data-raw', body]);
  });

  it('sends bytes that are no text as base64', () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
    const { args, input } = run(curlRepeat(open, 'a', 'application/octet-stream', false, bytes));
    expect(args.slice(-2)).toEqual(['--data-binary', '@-']);
    expect(Buffer.from(input, 'base64')).toEqual(Buffer.from(bytes));
  });

  it('appends two messages where an array is taken apart, else one', () => {
    expect(run(curlAppend(open, 'u', 'application/json', true)).args.slice(-2)).toEqual([
      '--data-raw',
      '[{"n":1},{"n":2}]',
    ]);
    const args = ['-X', 'POST', 'http://h/v1/stream/u', '-H', 'Content-Type: text/x', '--data-raw', 'hello'];
    expect(run(curlAppend(open, 'u', 'text/x', false)).args).toEqual(args);
  });

  it('wraps an array, or the server would take it apart', () => {
    expect(run(curlRepeat(open, 'u', 'application/json', true, utf8.encode(' [1,2]'))).args.at(-1)).toBe('[ [1,2]]');
    expect(run(curlRepeat(open, 'u', 'application/json', true, utf8.encode('{"a":1}'))).args.at(-1)).toBe('{"a":1}');
    expect(run(curlRepeat(open, 'u', 'text/plain', false, utf8.encode('[1]'))).args.at(-1)).toBe('[1]');
  });

  it('quotes only what needs it', () => {
    expect(shellQuote('http://h/a%20b')).toBe('http://h/a%20b');
    expect(curlFollow(open, 'a')).toBe("curl -N 'http://h/v1/stream/a?offset=-1&live=sse'");
  });

  it('takes the token of a guarded server from the environment', () => {
    const bearer = ['-H', 'Authorization: Bearer s3cr"et $x'];
    const env = { ...process.env, TAILRACE_TOKEN: 's3cr"et $x' };
    expect(run(curlFollow(guarded, 'a'), env).args.slice(2)).toEqual(bearer);
    expect(run(curlAppend(guarded, 'a', 'text/x', false), env).args.slice(3, 5)).toEqual(bearer);
    const bytes = run(curlRepeat(guarded, 'a', 'application/octet-stream', false, Uint8Array.of(0, 255)), env);
    expect(bytes.args.slice(3, 5)).toEqual(bearer);
    expect(bytes.input).toBe('AP8=');
  });

  it('sends a header without a value', () => {
    const { args } = run(curl(open, { method: 'POST', path: 'a', headers: [['Stream-Seq', '']], body: null }));
    expect(args.slice(3)).toEqual(['-H', 'Stream-Seq;']);
  });

  it('tones a command without losing a character', () => {
    const command = "curl -X PUT http://h/a -H 'A: b' \\\n  -d 'x' -H \"B: $C\"";
    const spans = commandSpans(command);
    expect(spans.map((span) => span.text).join('')).toBe(command);
    expect(spans.map((span) => span.tone || '.').join('')).toBe('k.u.s.s.s');
  });
});

describe('requestCurl', () => {
  const header = (name: string, value: string, hidden = false) => ({ name, value, hidden });

  const at = { url: 'http://127.0.0.1:4437', tokens: false };

  it('leaves out what is not kept and what curl sets itself', () => {
    const command = requestCurl(at, {
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
    expect(requestCurl(open, { method: 'GET', target: '/v1/stream/a', query, received: 0, request_headers: [] })).toBe(
      "curl -i -N 'http://h/v1/stream/a?offset=now&live=sse'",
    );
  });

  it('puts in the token of a guarded server, but not where a call brings one of its own', () => {
    const seen = { method: 'POST', query: '', received: 0, request_headers: [header('Authorization', '', true)] };
    expect(requestCurl(guarded, { ...seen, target: '/v1/stream/a' })).toBe(
      'curl -i -X POST http://h/v1/stream/a \\\n  -H "Authorization: Bearer $TAILRACE_TOKEN"',
    );
    const target = '/v1/stream/__ds/subscriptions/s1/ack';
    expect(requestCurl(guarded, { ...seen, target })).toBe(`curl -i -X POST http://h${target}`);
  });

  it('sends what curl would change as it was', () => {
    const seen = { method: 'POST', target: '/v1/stream/a[1]', query: '', received: 1, request_headers: [] };
    expect(run(requestCurl(open, seen)).args).toEqual([
      '-i',
      '-X',
      'POST',
      '-g',
      'http://h/v1/stream/a[1]',
      '-H',
      'Content-Type:',
      '--data-binary',
      '@body.bin',
    ]);
  });
});
