import { reveal } from '$lib/api/window';
import { reason } from '$lib/api/errors';
import { dialogs } from './dialogs.svelte';
import { palette } from './palette.svelte';
import { prefs } from './prefs.svelte';
import { router, requestsHref, streamsHref } from './router.svelte';
import { sight } from './sight.svelte';
import { toasts } from './toasts.svelte';

/** What the menu of the program's window can have the page do, by name. */
const ACTIONS: Record<string, () => void> = {
  create: () => dialogs.create(),
  import: () => dialogs.importFile(writable() ?? null),
  export: () => withStream((stream) => dialogs.exportFile(stream)),
  snapshot: () => dialogs.snapshot('snapshot', sight.stream?.path ?? ''),
  'data-folder': () => void showFile('data_folder'),
  append: () => {
    const stream = writable();
    if (stream === undefined) toasts.failed('Nothing to append to', 'Open a stream that takes appends.');
    else dialogs.ask('append', stream);
  },
  find: () => press('/'),
  palette: () => palette.toggle(),
  help: () => dialogs.help(),
  about: () => dialogs.about(),
};

function writable() {
  const stream = sight.stream;
  return stream === null || stream.closed || stream.deleted || stream.system ? undefined : stream;
}

function withStream(use: (stream: NonNullable<typeof sight.stream>) => void) {
  if (sight.stream === null) toasts.failed('No stream is open', 'Open the one that is meant.');
  else use(sight.stream);
}

/** As if a key had been pressed: each screen has its own way of finding. */
function press(key: string) {
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
}

/** Shows a file of the server in the file manager. */
export async function showFile(what: 'data_folder' | 'snapshot' | 'found' | 'export', id?: string): Promise<void> {
  try {
    await reveal(what, id);
  } catch (error) {
    toasts.failed('Could not show it', reason(error));
  }
}

/** Does what the menu says until the returned function is called. A name that is none of these is a screen. */
export function startMenu(): () => void {
  const listen = (event: Event) => {
    const action: unknown = (event as CustomEvent).detail;
    if (typeof action !== 'string') return;
    // A dialog is finished or left first.
    if (dialogs.current !== null) return;
    const run = ACTIONS[action];
    if (run !== undefined) run();
    else if (action === 'streams') router.go(streamsHref(prefs.streams.value));
    else if (action === 'requests') router.go(requestsHref(prefs.requests.value));
    else router.go(`#/${action}`);
  };
  window.addEventListener('tailrace-menu', listen);
  return () => window.removeEventListener('tailrace-menu', listen);
}
