import { ApiError, isAbort, OfflineError } from './errors';

const TOKEN_KEY = 'tailrace.token';

type Value = string | number | boolean | undefined;
type Query = Record<string, Value | readonly string[]>;

interface Call {
  query?: Query;
  body?: unknown;
  /** Sent as it is, instead of a JSON body. */
  file?: Blob;
  signal?: AbortSignal;
  /** It is sent although the page goes. */
  keepalive?: boolean;
}

let token = readToken();
let onLocked: () => void = () => {};

function readToken(): string | null {
  try {
    return sessionStorage.getItem(TOKEN_KEY);
  } catch {
    return null;
  }
}

export function hasToken(): boolean {
  return token !== null;
}

export function setToken(next: string | null): void {
  token = next;
  try {
    if (next === null) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, next);
  } catch {
    // Without storage the token lives as long as the page.
  }
}

/** Called whenever the server no longer accepts the token. */
export function whenLocked(handler: () => void): void {
  onLocked = handler;
}

/** Sends one call and returns the successful response; throws ApiError, OfflineError or the abort. */
export async function send(
  method: string,
  path: string,
  { query, body, file, signal, keepalive }: Call = {},
): Promise<Response> {
  const headers = new Headers();
  if (token !== null) headers.set('Authorization', `Bearer ${token}`);
  if (file !== undefined) headers.set('Content-Type', 'application/octet-stream');
  else if (body !== undefined) headers.set('Content-Type', 'application/json');
  let response: Response;
  try {
    response = await fetch(path + queryString(query), {
      method,
      headers,
      body: file ?? (body === undefined ? undefined : JSON.stringify(body)),
      signal,
      keepalive,
      cache: 'no-store',
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new OfflineError();
  }
  if (response.ok) return response;
  const problem = await readProblem(response);
  if (response.status === 401 && path !== '/api/session') onLocked();
  throw problem;
}

export async function call<T>(method: string, path: string, options?: Call): Promise<T> {
  const response = await send(method, path, options);
  return (await response.json()) as T;
}

/** Reads a response of one JSON document a line until it ends. */
export async function readLines<T>(response: Response, receive: (line: T) => void): Promise<void> {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      // Counters and names of the API, no message data: plain numbers are exact here.
      // eslint-disable-next-line no-restricted-properties
      if (line !== '') receive(JSON.parse(line) as T);
    }
  }
}

function queryString(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (typeof value === 'object') for (const one of value) params.append(key, one);
    else if (value !== undefined && value !== '') params.set(key, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

interface Problem {
  title?: string;
  detail?: string;
  /** Fields that are not as the API has them; what is said of them all is only that. */
  errors?: { location?: string; message?: string }[] | null;
}

/** "keep_last: expected integer" */
function wrongFields({ errors }: Problem): string {
  return (errors ?? [])
    .map(({ location = '', message }) => `${location.replace(/^body\./, '')}: ${message}`)
    .join('; ');
}

async function readProblem(response: Response): Promise<ApiError> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trimEnd() + '.';
  try {
    const problem = (await response.json()) as Problem;
    return new ApiError(response.status, wrongFields(problem) || problem.detail || problem.title || fallback);
  } catch {
    return new ApiError(response.status, fallback);
  }
}
