import { call, send } from './client';

/** What the program's own window does where a browser has its own ways. */

/** Asks where to save an export, and writes it; null: nowhere. */
export function saveExport(id: string, signal?: AbortSignal): Promise<{ path: string | null }> {
  return call('POST', `/api/exports/${encodeURIComponent(id)}/save`, { signal });
}

/** Asks where to save a message, and writes it; null: nowhere. */
export function saveMessage(path: string, ordinal: number): Promise<{ path: string | null }> {
  return call('POST', `/api/streams/${encodeURIComponent(path)}/messages/${ordinal}/save`);
}

/** Shows a file that the server knows in the file manager. */
export async function reveal(what: 'data_folder' | 'snapshot' | 'found' | 'export', id?: string): Promise<void> {
  await send('POST', '/api/window/reveal', { body: { what, id } });
}
