import { call, send } from './client';
import type { ReaderPage, ReaderQuery, RequestDetail, RequestPage, RequestQuery } from './types';

/** The newest requests that a query selects. */
export function listRequests(query: RequestQuery, signal?: AbortSignal): Promise<RequestPage> {
  return call('GET', '/api/requests', { query: { ...query }, signal });
}

/** A request of a journal, 0 for the one there is. */
export function readRequest(id: number, journal: number, signal?: AbortSignal): Promise<RequestDetail> {
  return call('GET', `/api/requests/${id}`, { query: { journal }, signal });
}

/** The open live readers. */
export function listReaders(query: ReaderQuery, signal?: AbortSignal): Promise<ReaderPage> {
  return call('GET', '/api/readers', { query: { ...query }, signal });
}

export async function disconnectReader(id: number): Promise<void> {
  await send('DELETE', `/api/readers/${id}`);
}
