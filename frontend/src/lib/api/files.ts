import { call } from './client';
import { at } from './streams';
import type { Export, ExportRequest, ImportResult } from './types';

export function createExport(body: ExportRequest): Promise<Export> {
  return call('POST', '/api/exports', { body });
}

export function readExport(id: string, signal?: AbortSignal): Promise<Export> {
  return call('GET', `/api/exports/${encodeURIComponent(id)}`, { signal });
}

/** Reads and checks a file, or appends it: without an id it is only checked. */
export function importFile(
  path: string,
  file: Blob,
  { format, contentType, id }: { format: string; contentType: string; id?: string },
  signal?: AbortSignal,
): Promise<ImportResult> {
  const query = { format, content_type: contentType, id, dry_run: id === undefined || undefined };
  return call('POST', `${at(path)}/import`, { query, file, signal });
}
