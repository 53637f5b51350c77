import { decodeUtf8, toBase64 } from './bytes';
import { skipSpace } from './json';

/** Longer arguments than this do not fit a command line everywhere. */
const ARGUMENT_LIMIT = 100_000;
const BASE64_LINE = /.{1,76}/g;

export interface Command {
  method: string;
  url: string;
  headers: [name: string, value: string][];
  body: Uint8Array | string | null;
}

/** Quotes one word for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_\-./:=@%+,]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The command line of a request. What a command line cannot carry travels as base64. */
export function curl({ method, url, headers, body }: Command): string {
  const lines = [`curl -X ${method} ${shellQuote(url)}`];
  for (const [name, value] of headers) lines.push(`  -H ${shellQuote(`${name}: ${value}`)}`);
  if (body === null || body.length === 0) return lines.join(' \\\n');
  const text = typeof body === 'string' ? body : decodeUtf8(body);
  if (text !== null && !text.includes('\0') && body.length <= ARGUMENT_LIMIT) {
    return [...lines, `  --data-raw ${shellQuote(text)}`].join(' \\\n');
  }
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const encoded = toBase64(bytes).match(BASE64_LINE) ?? [];
  return `base64 -d <<'EOF' | ${[...lines, '  --data-binary @-'].join(' \\\n')}\n${encoded.join('\n')}\nEOF`;
}

/** A command that appends a stored message once more: an array is wrapped, or it would be taken apart. */
export function curlRepeat(url: string, contentType: string, json: boolean, bytes: Uint8Array): string {
  const text = json ? decodeUtf8(bytes) : null;
  const body = text !== null && text[skipSpace(text, 0)] === '[' ? `[${text}]` : bytes;
  return curl({ method: 'POST', url, headers: [['Content-Type', contentType]], body });
}

/** A command that appends something to look at: two messages where an array is taken apart, else one. */
export function curlAppend(url: string, contentType: string, json: boolean): string {
  const body = json ? '[{"n":1},{"n":2}]' : 'hello';
  return curl({ method: 'POST', url, headers: [['Content-Type', contentType]], body });
}

export function curlFollow(url: string): string {
  return `curl -N ${shellQuote(`${url}?offset=-1&live=sse`)}`;
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

/** A command that sends a seen request again. What is not kept is left out: secrets, and the body. */
export function requestCurl(dataUrl: string, { method, target, query, received, request_headers }: Seen): string {
  const shown = query.split('&').filter((pair) => pair !== '' && !pair.endsWith('=…'));
  const url = dataUrl + target + (shown.length > 0 ? `?${shown.join('&')}` : '');
  const verb = method === 'HEAD' ? '-I' : method === 'GET' ? '-i' : `-i -X ${method}`;
  const follow = shown.some((pair) => pair.startsWith('live=')) ? ' -N' : '';
  const lines = [`curl ${verb}${follow} ${shellQuote(url)}`];
  for (const { name, value, hidden } of request_headers) {
    if (!hidden && !OWN.has(name) && !name.startsWith('Sec-')) lines.push(`  -H ${shellQuote(`${name}: ${value}`)}`);
  }
  if (received > 0) lines.push('  --data-binary @body.bin');
  return lines.join(' \\\n');
}
