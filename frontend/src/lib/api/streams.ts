import { foldedPath } from '$lib/format/path';
import { call, readLines, send } from './client';
import { ApiError } from './errors';
import type {
  AppendRequest,
  AppendResult,
  Body,
  CreateRequest,
  Delivery,
  FilterProgress,
  LanePage,
  Lineage,
  Message,
  MessageOrigin,
  MessagePage,
  ProducerPage,
  ProducerQuery,
  Stream,
  StreamPage,
  StreamQuery,
  StreamStorage,
  TreePage,
  TreeQuery,
} from './types';

/** Where the server has a stream. */
export function at(path: string): string {
  const problem = foldedPath(path);
  if (problem !== null) throw new ApiError(400, problem);
  return `/api/streams/${encodeURIComponent(path)}`;
}

export function listStreams(query: StreamQuery, signal?: AbortSignal): Promise<StreamPage> {
  return call('GET', '/api/streams', { query: { ...query }, signal });
}

export function listTree(query: TreeQuery, signal?: AbortSignal): Promise<TreePage> {
  return call('GET', '/api/tree', { query: { ...query }, signal });
}

export function readStream(path: string, signal?: AbortSignal): Promise<Stream> {
  return call('GET', at(path), { signal });
}

export function createStream(path: string, body: CreateRequest): Promise<{ created: boolean; stream: Stream }> {
  return call('PUT', at(path), { body });
}

export async function deleteStream(path: string): Promise<void> {
  await send('DELETE', at(path));
}

export function closeStream(path: string): Promise<{ next_offset: string }> {
  return call('POST', `${at(path)}/close`);
}

export function append(path: string, body: AppendRequest): Promise<AppendResult> {
  return call('POST', `${at(path)}/messages`, { body });
}

export function listMessages(path: string, from: number, limit: number, signal?: AbortSignal): Promise<MessagePage> {
  return call('GET', `${at(path)}/messages`, { query: { from, limit }, signal });
}

/** Single messages, in the order of their ordinals. */
export async function pickMessages(path: string, ordinals: number[], signal?: AbortSignal): Promise<Message[]> {
  const query = { ordinals: ordinals.join(',') };
  return (await call<MessagePage>('GET', `${at(path)}/messages`, { query, signal })).messages;
}

export type FilterWay = 'text' | 'regex' | 'path';

/** Looks at all messages from an ordinal on, and hands over what matches as it is found. */
export async function filterMessages(
  path: string,
  filter: { by: FilterWay; pattern: string; from: number },
  signal: AbortSignal,
  receive: (progress: FilterProgress) => void,
): Promise<void> {
  await readLines(await send('GET', `${at(path)}/filter`, { query: filter, signal }), receive);
}

export async function readBody(path: string, ordinal: number, max?: number, signal?: AbortSignal): Promise<Body> {
  const response = await send('GET', `${at(path)}/messages/${ordinal}/body`, { query: { max }, signal });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { bytes, size: Number(response.headers.get('Tailrace-Size') ?? bytes.length) };
}

export async function seek(path: string, to: { offset: string } | { time: number }): Promise<number> {
  const { ordinal } = await call<{ ordinal: number }>('GET', `${at(path)}/seek`, { query: to });
  return ordinal;
}

/** What became of the appends of producers in the last seconds. */
export function listLanes(path: string, seconds: number, q: string, signal?: AbortSignal): Promise<LanePage> {
  return call('GET', `${at(path)}/lanes`, { query: { seconds, q }, signal });
}

/** Which request wrote a message, and how many readers have it. */
export function readOrigin(path: string, ordinal: number, signal?: AbortSignal): Promise<MessageOrigin> {
  return call('GET', `${at(path)}/messages/${ordinal}/origin`, { signal });
}

/** Which open readers have a message. */
export function readDelivery(path: string, ordinal: number, signal?: AbortSignal): Promise<Delivery> {
  return call('GET', `${at(path)}/messages/${ordinal}/readers`, { signal });
}

export function listProducers(path: string, query: ProducerQuery, signal?: AbortSignal): Promise<ProducerPage> {
  return call('GET', `${at(path)}/producers`, { query: { ...query }, signal });
}

export function readStorage(path: string, signal?: AbortSignal): Promise<StreamStorage> {
  return call('GET', `${at(path)}/storage`, { signal });
}

export function readLineage(path: string, signal?: AbortSignal): Promise<Lineage> {
  return call('GET', `${at(path)}/lineage`, { signal });
}
