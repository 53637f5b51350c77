export interface CommandSpan {
  /** Command, string, URL, or plain. */
  tone: 'k' | 's' | 'u' | '';
  text: string;
}

const TOKEN = /(?<k>^(?:curl|tailrace)\b|(?<=\| )curl|^base64)|(?<s>'(?:[^']|'\\'')*'|"[^"]*")|(?<u>https?:\/\/\S+)/gm;

/** Tones for the parts of a shell command that an eye looks for. */
export function commandSpans(command: string): CommandSpan[] {
  const spans: CommandSpan[] = [];
  let at = 0;
  for (const match of command.matchAll(TOKEN)) {
    if (match.index > at) spans.push({ tone: '', text: command.slice(at, match.index) });
    const tone = match.groups?.k !== undefined ? 'k' : match.groups?.s !== undefined ? 's' : 'u';
    spans.push({ tone, text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < command.length) spans.push({ tone: '', text: command.slice(at) });
  return spans;
}
