const TYPING = 'input, textarea, select, [contenteditable="true"], [data-typing]';
const MODAL = '[role="dialog"], [role="alertdialog"], [role="menu"]';

/** The key of chords, as it is written on this keyboard. */
export const CHORD = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';

/**
 * The plain key of a shortcut, or null when the key belongs to something else: a field, a dialog,
 * a menu, or a chord of the browser.
 */
export function shortcut(event: KeyboardEvent): string | null {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (!(event.target instanceof Element)) return event.key;
  if (event.target.closest(TYPING) !== null || document.querySelector(MODAL) !== null) return null;
  // Space and Enter press the control that has the focus.
  const pressable = event.target.closest('button, a, [role="tab"], [role="separator"]') !== null;
  if (pressable && (event.key === ' ' || event.key === 'Enter')) return null;
  return event.key;
}

/**
 * The row of a list that a key leads to from another one; null: it leads to none. It may lie
 * beyond the ends of the list.
 */
export function rowFor(key: string, from: number, count: number): number | null {
  if (key === 'j' || key === 'ArrowDown') return from + 1;
  if (key === 'k' || key === 'ArrowUp') return from - 1;
  if (key === 'g' || key === 'Home') return 0;
  if (key === 'G' || key === 'End') return count - 1;
  return null;
}
