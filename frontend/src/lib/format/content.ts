import { formatBytes, fromBase64, utf8Length } from './bytes';
import { checkJson } from './json';
import { plural } from './number';

/** What a body in the editor would become, in words, and whether it may be sent. */
export interface ContentNote {
  ok: boolean;
  text: string;
  messages: number;
}

export type Encoding = 'text' | 'base64';

/** How the server names the kind of a content type: JSON, text, or plain bytes. */
export function kindOf(contentType: string): 'json' | 'text' | 'bytes' {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json') return 'json';
  return type.startsWith('text/') ? 'text' : 'bytes';
}

export function contentNote(body: string, kind: 'json' | 'text' | 'bytes', encoding: Encoding): ContentNote {
  if (body === '') return { ok: true, text: '', messages: 0 };
  if (kind === 'json') return jsonNote(body);
  if (encoding === 'base64') {
    const bytes = fromBase64(body);
    if (bytes === null) return { ok: false, text: 'This is not base64.', messages: 0 };
    return { ok: bytes.length > 0, text: `1 message, ${formatBytes(bytes.length)}.`, messages: 1 };
  }
  return { ok: true, text: `1 message, ${formatBytes(utf8Length(body))}.`, messages: 1 };
}

function jsonNote(body: string): ContentNote {
  const check = checkJson(body);
  if (!check.ok) {
    const { line, column, message } = check.error;
    return { ok: false, text: `Line ${line}, column ${column}: ${message}`, messages: 0 };
  }
  const messages = check.elements ?? 1;
  const size = formatBytes(utf8Length(body));
  if (check.elements === 0) return { ok: false, text: 'An empty array has no messages.', messages: 0 };
  if (check.elements === null) return { ok: true, text: `Valid JSON, 1 message, ${size}.`, messages };
  return { ok: true, text: `Valid JSON, ${size}. The array is taken apart: ${plural(messages, 'message')}.`, messages };
}
