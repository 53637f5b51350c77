import { decodeUtf8, toBase64 } from './bytes';
import { skipSpace } from './json';
import { streamUrl } from './path';

/** Longer arguments than this do not fit a command line everywhere. */
const ARGUMENT_LIMIT = 100_000;
const BASE64_LINE = /.{1,76}/g;
/** In double quotes: the shell puts the token there, so that no command holds one. */
const AUTHORIZATION = '-H "Authorization: Bearer $TAILRACE_TOKEN"';

/** The server that a command is for. */
export interface Target {
  /** Root of its data listener. */
  url: string;
  /** It answers nobody without a token. */
  tokens: boolean;
}

export interface Command {
  method: string;
  /** Of the stream. */
  path: string;
  headers: [name: string, value: string][];
  body: Uint8Array | string | null;
}

/** Quotes one word for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_\-./:=@%+,]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The command line of a request. What a command line cannot carry travels as base64. */
export function curl(to: Target, { method, path, headers, body }: Command): string {
  const lines = [`curl -X ${method} ${shellQuote(streamUrl(to.url, path))}`, ...options(to.tokens, headers)];
  if (body === null || body.length === 0) return lines.join(' \\\n');
  const text = typeof body === 'string' ? body : decodeUtf8(body);
  if (text !== null && !text.includes('\0') && body.length <= ARGUMENT_LIMIT) {
    return [...lines, `  --data-raw ${shellQuote(text)}`].join(' \\\n');
  }
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const encoded = toBase64(bytes).match(BASE64_LINE) ?? [];
  return `base64 -d <<'EOF' | ${[...lines, '  --data-binary @-'].join(' \\\n')}\n${encoded.join('\n')}\nEOF`;
}

function options(token: boolean, headers: [name: string, value: string][]): string[] {
  // To curl, a name without a value is a header that is not to be sent.
  const lines = headers.map(([name, value]) => `  -H ${shellQuote(value === '' ? `${name};` : `${name}: ${value}`)}`);
  return token ? [`  ${AUTHORIZATION}`, ...lines] : lines;
}

/** A command that appends a stored message once more: an array is wrapped, or it would be taken apart. */
export function curlRepeat(to: Target, path: string, contentType: string, json: boolean, bytes: Uint8Array): string {
  const text = json ? decodeUtf8(bytes) : null;
  const body = text !== null && text[skipSpace(text, 0)] === '[' ? `[${text}]` : bytes;
  return curl(to, { method: 'POST', path, headers: [['Content-Type', contentType]], body });
}

/** A command that appends something to look at: two messages where an array is taken apart, else one. */
export function curlAppend(to: Target, path: string, contentType: string, json: boolean): string {
  const body = json ? '[{"n":1},{"n":2}]' : 'hello';
  return curl(to, { method: 'POST', path, headers: [['Content-Type', contentType]], body });
}

export function curlFollow(to: Target, path: string): string {
  const url = shellQuote(`${streamUrl(to.url, path)}?offset=-1&live=sse`);
  return [`curl -N ${url}`, ...options(to.tokens, [])].join(' \\\n');
}

/** A request of the journal. */
export interface Seen {
  method: string;
  target: string;
  query: string;
  received: number;
  request_headers: { name: string; value: string; hidden: boolean }[];
}

/** Headers that curl sets by itself, or that are about one connection. */
const OWN = new Set(['Accept', 'Accept-Encoding', 'Connection', 'Content-Length', 'Expect', 'Transfer-Encoding']);

/** Calls of the subscription API whose token the server made for the one wake that they answer. */
const OF_A_WAKE = /^\/v1\/stream\/__ds\/subscriptions\/[^/]+\/(?:callback|ack|release)$/;

/** Whether a request brings a token that is not one of the configuration. */
export function bringsOwnToken({ target }: Seen): boolean {
  return OF_A_WAKE.test(target);
}

/** A command that sends a seen request again. What is not kept is left out: secrets, and the body. */
export function requestCurl(to: Target, seen: Seen): string {
  const { method, target, query, received, request_headers } = seen;
  const shown = query.split('&').filter((pair) => pair !== '' && !pair.endsWith('=…'));
  const asked = target + (shown.length > 0 ? `?${shown.join('&')}` : '');
  const verb = method === 'HEAD' ? '-I' : method === 'GET' ? '-i' : `-i -X ${method}`;
  const follow = shown.some((pair) => pair.startsWith('live=')) ? ' -N' : '';
  const literally = /[[\]{}]/.test(asked) ? ' -g' : ''; // else curl takes these for a pattern
  const headers: [string, string][] = request_headers
    .filter(({ name, hidden }) => !hidden && !OWN.has(name) && !name.startsWith('Sec-'))
    .map(({ name, value }) => [name, value]);
  const lines = [
    `curl ${verb}${follow}${literally} ${shellQuote(to.url + asked)}`,
    ...options(to.tokens && !bringsOwnToken(seen), headers),
  ];
  if (received > 0) {
    // A body without a type is given one by curl.
    if (!request_headers.some(({ name }) => name === 'Content-Type')) lines.push("  -H 'Content-Type:'");
    lines.push('  --data-binary @body.bin');
  }
  return lines.join(' \\\n');
}
