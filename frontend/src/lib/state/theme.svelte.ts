import { prefs } from './prefs.svelte';

/** The theme that is in force now: what draws on a canvas has to know. */
export const themeNow = $state({ name: 'light' });

/** Keeps the document in the chosen theme; returns how to stop. Call it inside an effect. */
export function followTheme(): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    const chosen = prefs.theme.value;
    const name = chosen === 'system' ? (dark.matches ? 'dark' : 'light') : chosen;
    document.documentElement.dataset.theme = name;
    themeNow.name = name;
  };
  apply();
  dark.addEventListener('change', apply);
  return () => dark.removeEventListener('change', apply);
}
