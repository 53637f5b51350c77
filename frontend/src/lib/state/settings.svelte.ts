import { isAbort, reason } from '$lib/api/errors';
import { changeSettings, readSettings } from '$lib/api/settings';
import type { Setting, SettingsState } from '$lib/api/types';

/** The file may be edited by hand while the screen is open: it is looked at so often. */
const EVERY_MS = 2000;

/** The server's settings, as its file and flags have them. */
export class ServerSettings {
  state = $state.raw<SettingsState | null>(null);
  error = $state<string | null>(null);
  /** What the server said about a value that it refused, by key. */
  refused = $state.raw<Record<string, string>>({});

  readonly groups = $derived.by(() => {
    const groups = new Map<string, Setting[]>();
    for (const setting of this.state?.settings ?? []) {
      groups.set(setting.group, [...(groups.get(setting.group) ?? []), setting]);
    }
    return [...groups];
  });

  #controller = new AbortController();

  /** Stays fresh until the returned function is called. */
  start(): () => void {
    const timer = setInterval(() => {
      if (!document.hidden) void this.load();
    }, EVERY_MS);
    void this.load();
    return () => {
      clearInterval(timer);
      this.#controller.abort();
    };
  }

  async load(): Promise<void> {
    try {
      this.#take(await readSettings(this.#controller.signal));
      this.error = null;
    } catch (error) {
      if (!isAbort(error)) this.error = reason(error);
    }
  }

  /** Writes one setting; null: its default. Answers whether it was taken. */
  async set(key: string, value: string | null): Promise<boolean> {
    this.refused = Object.fromEntries(Object.entries(this.refused).filter(([name]) => name !== key));
    try {
      this.#take(await changeSettings({ [key]: value }));
      return true;
    } catch (error) {
      this.refused = { ...this.refused, [key]: reason(error) };
      return false;
    }
  }

  /** What was refused was typed over a value: where that has changed since, it is shown again. */
  #take(state: SettingsState): void {
    const before = this.state;
    const kept = Object.entries(this.refused).filter(([key]) => valueOf(key, state) === valueOf(key, before));
    this.refused = Object.fromEntries(kept);
    this.state = state;
  }
}

function valueOf(key: string, state: SettingsState | null): string | undefined {
  return state?.settings.find((setting) => setting.key === key)?.value;
}
