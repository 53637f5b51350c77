import { call } from './client';
import type { SettingsState } from './types';

export function readSettings(signal?: AbortSignal): Promise<SettingsState> {
  return call('GET', '/api/settings', { signal });
}

/** Values are spelled as flags would be; null takes a setting back to its default. */
export function changeSettings(changes: Record<string, string | null>): Promise<SettingsState> {
  return call('PATCH', '/api/settings', { body: { changes } });
}
