/**
 * Where the person is, kept in the URL's fragment so that it survives reload:
 * `#/streams?filter=…`, `#/s/<encoded path>?tab=…&at=…&view=…`, and a word for every other screen.
 */
const SCREENS = [
  'streams',
  'readers',
  'requests',
  'subscriptions',
  'findings',
  'faults',
  'snapshots',
  'mirrors',
  'activity',
  'settings',
] as const;
export type Screen = (typeof SCREENS)[number];
export type Place = { view: Screen } | { view: 'stream'; path: string };

type Query = Record<string, string | null>;

class Router {
  place = $state.raw<Place>({ view: 'streams' });
  query = $state.raw(new URLSearchParams());

  /** Follows the address bar from the first moment on: somebody may go on while the page is still being let in. */
  constructor() {
    this.#read();
    window.addEventListener('hashchange', () => this.#read());
  }

  get(key: string): string {
    return this.query.get(key) ?? '';
  }

  /** The query of the present place, cut to some keys. */
  only(keys: readonly string[]): string {
    return new URLSearchParams([...this.query].filter(([key]) => keys.includes(key))).toString();
  }

  /** Whether the page was opened without a place. */
  get nowhere(): boolean {
    return location.hash.length < 2;
  }

  /** Goes somewhere; the way back stays in the history. */
  go(href: string): void {
    location.hash = href;
  }

  /** Changes how the present place is seen, without a step in the history. */
  update(changes: Query): void {
    const query = new URLSearchParams(this.query);
    for (const [key, value] of Object.entries(changes)) {
      if (value === null || value === '') query.delete(key);
      else query.set(key, value);
    }
    if (query.toString() === this.query.toString()) return;
    this.query = query;
    history.replaceState(null, '', hrefOf(this.place, query));
  }

  #read(): void {
    if (location.hash.startsWith('#code=')) return; // a link that lets in, no place
    const [path = '', query = ''] = splitOnce(location.hash.replace(/^#/, ''), '?');
    const next = readPlace(path);
    if (!samePlace(next, this.place)) this.place = next;
    this.query = new URLSearchParams(query);
  }
}

export const router = new Router();

/** A query is given by its parts, or as text. */
export function streamsHref(query: Query | string = {}): string {
  return hrefOf({ view: 'streams' }, typeof query === 'string' ? new URLSearchParams(query) : paramsOf(query));
}

export function subscriptionsHref(query: Query = {}): string {
  return hrefOf({ view: 'subscriptions' }, paramsOf(query));
}

export function faultsHref(query: Query = {}): string {
  return hrefOf({ view: 'faults' }, paramsOf(query));
}

export function findingsHref(): string {
  return hrefOf({ view: 'findings' }, new URLSearchParams());
}

export function settingsHref(): string {
  return hrefOf({ view: 'settings' }, new URLSearchParams());
}

/** A query is given by its parts, or as text. */
export function requestsHref(query: Query | string = {}): string {
  return hrefOf({ view: 'requests' }, typeof query === 'string' ? new URLSearchParams(query) : paramsOf(query));
}

/** How an address names a reader: every start of the server counts them from 1. */
export function readerKey({ id, began }: { id: number; began: number }): string {
  return `${id}-${began}`;
}

/** How an address names a request: every start of the server has a journal that counts from 1. */
export function requestKey(id: number, journal: number): string {
  return `${id}-${journal}`;
}

export function readRequestKey(text: string): { id: number | null; journal: number } {
  const [id, journal] = splitOnce(text, '-').map(Number);
  return { id: id || null, journal: journal || 0 };
}

export function readersHref(query: Query = {}): string {
  return hrefOf({ view: 'readers' }, paramsOf(query));
}

export function snapshotsHref(query: Query = {}): string {
  return hrefOf({ view: 'snapshots' }, paramsOf(query));
}

export function mirrorsHref(query: Query = {}): string {
  return hrefOf({ view: 'mirrors' }, paramsOf(query));
}

export function activityHref(): string {
  return hrefOf({ view: 'activity' }, new URLSearchParams());
}

export function streamHref(path: string, query: Query = {}): string {
  return hrefOf({ view: 'stream', path }, paramsOf(query));
}

function paramsOf(query: Query): URLSearchParams {
  return new URLSearchParams(Object.entries(query).filter((pair): pair is [string, string] => !!pair[1]));
}

function hrefOf(place: Place, query: URLSearchParams): string {
  const text = query.toString();
  const base = place.view === 'stream' ? `#/s/${encodeURIComponent(place.path)}` : `#/${place.view}`;
  return text === '' ? base : `${base}?${text}`;
}

function readPlace(text: string): Place {
  if (!text.startsWith('/s/')) return { view: SCREENS.find((screen) => text === `/${screen}`) ?? 'streams' };
  try {
    return { view: 'stream', path: decodeURIComponent(text.slice(3)) };
  } catch {
    return { view: 'streams' };
  }
}

function samePlace(a: Place, b: Place): boolean {
  if (a.view === 'stream' && b.view === 'stream') return a.path === b.path;
  return a.view === b.view;
}

function splitOnce(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + by.length)];
}
