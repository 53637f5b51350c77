import { isAbort, reason } from '$lib/api/errors';
import { toasts } from './toasts.svelte';

/** Copies text and says so. Call it inside a click. */
export async function copyText(text: string, title: string, detail = ''): Promise<void> {
  if (await write(text)) toasts.done(title, detail);
  else toasts.failed('Could not copy', 'The clipboard is not available here.');
}

/**
 * Copies text that is still to be fetched. The clipboard is asked within the click, as browsers
 * demand, and gets the text when it is there.
 */
export async function copyLater(
  make: () => Promise<string>,
  title: (text: string) => string,
  detail = '',
): Promise<void> {
  const pending = make();
  try {
    if (typeof ClipboardItem !== 'undefined' && navigator.clipboard?.write !== undefined) {
      const blob = pending.then((text) => new Blob([text], { type: 'text/plain' }));
      await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
      toasts.done(title(await pending), detail);
      return;
    }
  } catch {
    // Fall through to the plain way; a failed fetch shows there.
  }
  try {
    const text = await pending;
    await copyText(text, title(text), detail);
  } catch (error) {
    if (!isAbort(error)) toasts.failed('Could not copy', reason(error));
  }
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeThroughSelection(text);
  }
}

function writeThroughSelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.setAttribute('aria-hidden', 'true');
  area.className = 'sr';
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  try {
    return document.execCommand('copy');
  } finally {
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
  }
}
