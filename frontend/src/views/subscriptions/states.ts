import type { Subscription } from '$lib/api/types';

/** What a subscription does, in a word and its tone. */
export const STATES: Record<Subscription['state'], { word: string; tone: string; meaning: string }> = {
  idle: { word: 'idle', tone: '', meaning: 'Everything is acked.' },
  stuck: { word: 'stuck', tone: 'fenced', meaning: 'There is something to do, but no wake of it can be sent.' },
  waking: { word: 'waking', tone: 'accent', meaning: 'There is a wake that nobody has taken yet.' },
  retrying: { word: 'retrying', tone: 'fenced', meaning: 'The webhook does not take the wake; it is tried again.' },
  leased: { word: 'leased', tone: 'stored', meaning: 'Somebody works on the wake until the lease ends.' },
};
