import { decodeUtf8, toBase64 } from './bytes';
import { skipSpace } from './json';

/** Longer arguments than this do not fit a command line everywhere. */
const ARGUMENT_LIMIT = 100_000;
const BASE64_LINE = /.{1,76}/g;

export interface Command {
  method: 'PUT' | 'POST';
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

export function curlFollow(url: string): string {
  return `curl -N ${shellQuote(`${url}?offset=-1&live=sse`)}`;
}
