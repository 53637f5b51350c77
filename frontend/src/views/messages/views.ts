import { decodeLoosely, decodeUtf8 } from '$lib/format/bytes';
import { checkJson, skipSpace } from '$lib/format/json';
import { looksLikeText } from '$lib/format/text';

export const VIEWS = ['tree', 'pretty', 'raw', 'hex', 'base64'] as const;
export type View = (typeof VIEWS)[number];

export const VIEW_NAMES: Record<View, string> = {
  tree: 'Tree',
  pretty: 'Pretty',
  raw: 'Raw',
  hex: 'Hex',
  base64: 'Base64',
};

/** What the bytes of a message turned out to be. */
export interface Detected {
  what: 'JSON' | 'text' | 'binary';
  text: string;
  /** The view that suits it. */
  view: View;
}

/**
 * Looks at the bytes themselves: a text stream may carry JSON as well. A capped body counts as
 * JSON when the stream says so, for its end is not there to be checked.
 */
export function detect(bytes: Uint8Array, kind: string, capped: boolean): Detected {
  const text = decodeUtf8(bytes, capped);
  if (text === null || !looksLikeText(text)) return { what: 'binary', text: text ?? decodeLoosely(bytes), view: 'hex' };
  const opens = text[skipSpace(text, 0)];
  const nested = opens === '{' || opens === '[';
  // What is in a JSON stream has been checked by the server.
  if (nested && (kind === 'json' || (!capped && checkJson(text).ok))) return { what: 'JSON', text, view: 'tree' };
  return { what: kind === 'json' ? 'JSON' : 'text', text, view: 'raw' };
}
