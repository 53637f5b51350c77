const LIMIT = 20;
const LONGEST = 16 * 1024;
const KEY = 'tailrace.sent';

/** Bodies that were appended from this window, newest first. They are gone when it closes. */
class SentHistory {
  list = $state.raw<string[]>(load());

  add(body: string): void {
    if (body === '' || body.length > LONGEST) return;
    this.list = [body, ...this.list.filter((other) => other !== body)].slice(0, LIMIT);
    try {
      sessionStorage.setItem(KEY, this.list.map(encodeURIComponent).join('\n'));
    } catch {
      // Without storage it lives as long as the page.
    }
  }
}

function load(): string[] {
  try {
    const text = sessionStorage.getItem(KEY) ?? '';
    return text === '' ? [] : text.split('\n').map(decodeURIComponent);
  } catch {
    return [];
  }
}

export const sent = new SentHistory();
