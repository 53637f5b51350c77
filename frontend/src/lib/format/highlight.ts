import { skipScalar, skipSpace, skipString } from './json';

export interface Span {
  /** The tone of the token: key, string, number, atom, or plain punctuation. */
  tone: 'k' | 's' | 'n' | 'a' | 'p';
  text: string;
}

/** Cuts a piece of JSON text into toned spans; white space rides with the token before it. */
export function highlightJson(text: string): Span[] {
  const spans: Span[] = [];
  const push = (tone: Span['tone'], start: number, end: number) => {
    const last = spans[spans.length - 1];
    if (last?.tone === tone) last.text += text.slice(start, end);
    else spans.push({ tone, text: text.slice(start, end) });
  };
  let i = 0;
  while (i < text.length) {
    const c = text[i] as string;
    if ('{}[],: \n\r\t'.includes(c)) {
      push('p', i, i + 1);
      i++;
      continue;
    }
    const end = c === '"' ? skipString(text, i) : skipScalar(text, i);
    if (c === '"') push(text[skipSpace(text, end)] === ':' ? 'k' : 's', i, end);
    else push(c === '-' || (c >= '0' && c <= '9') ? 'n' : 'a', i, end);
    i = end;
  }
  return spans;
}
