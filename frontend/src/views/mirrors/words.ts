import type { Mirror, MirroredStream } from '$lib/api/types';

interface Word {
  word: string;
  tone: string;
}

/** What a mirror's state is called, and in which tone. */
export function stateOf({ state, once, states, error }: Mirror): Word {
  if (state === 'paused') return { word: 'paused', tone: '' };
  if (state === 'failed' || error !== null) return { word: 'failed', tone: 'fenced' };
  if (states.stopped + states.failed > 0) return { word: 'needs a look', tone: 'fenced' };
  if (state === 'ended')
    return once === 'complete' ? { word: 'complete', tone: 'stored' } : { word: 'incomplete', tone: 'gap' };
  if (states.retrying > 0) return { word: 'retrying', tone: 'gap' };
  if (states.copying + states.waiting > 0) return { word: 'copying', tone: 'accent' };
  return { word: 'up to date', tone: 'stored' };
}

export const STREAM_STATES: Record<MirroredStream['state'], Word> = {
  waiting: { word: 'waiting', tone: '' },
  copying: { word: 'copying', tone: 'accent' },
  live: { word: 'up to date', tone: 'stored' },
  retrying: { word: 'retrying', tone: 'gap' },
  failed: { word: 'failed', tone: 'fenced' },
  closed: { word: 'closed', tone: '' },
  source_deleted: { word: 'source deleted', tone: 'expired' },
  stopped: { word: 'stopped', tone: 'fenced' },
};
