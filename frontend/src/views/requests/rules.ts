/** What the specification says about a decision, in our words. */
export interface Rule {
  text: string;
  section: string;
  /** What the client can do about it. */
  remedy?: string;
}

const RULES: Record<string, Rule> = {
  stored: { text: 'What was appended is on disk.', section: '5.2' },
  duplicate: {
    text: 'Same epoch, and a seq that was accepted before: nothing is written again, and the answer tells the last seq.',
    section: '5.2.1',
  },
  SEQUENCE_GAP: {
    text: 'Same epoch, and a seq beyond the last one plus 1: something in between never reached this server. Nothing was stored.',
    section: '5.2.1',
    remedy: 'Send what is missing first, or begin a new epoch with seq 0.',
  },
  STALE_EPOCH: {
    text: 'Another sender has begun a higher epoch of this producer. This one is fenced: nothing was stored.',
    section: '5.2.1',
    remedy: 'Stop this sender, or begin an epoch above the current one with seq 0.',
  },
  NEW_EPOCH_SEQ: {
    text: 'A new epoch of a producer begins with seq 0. Nothing was stored.',
    section: '5.2.1',
    remedy: 'Send seq 0 first.',
  },
  STREAM_SEQ: {
    text: 'Stream-Seq has to grow with every append, compared byte by byte. Nothing was stored.',
    section: '5.2',
    remedy: 'Send a greater value; pad numbers with zeros.',
  },
  STREAM_CLOSED: {
    text: 'A closed stream takes no more appends, for good.',
    section: '5.3',
    remedy: 'Write to another stream.',
  },
  CONFLICT: {
    text: 'The stream has other settings than the request says.',
    section: '5.1',
    remedy: 'Send what the stream has, or delete it first.',
  },
  STREAM_NOT_FOUND: {
    text: 'There is no stream at this path: it was never made, was deleted, or has expired.',
    section: '5.1',
    remedy: 'Create it with PUT.',
  },
  STREAM_DELETED: {
    text: 'The stream was deleted. Its data is kept only because forks read from it.',
    section: '4.2',
  },
  OFFSET_GONE: {
    text: 'The offset was given out by an earlier stream at this path. Reading on from there would skip data without a word.',
    section: '8',
    remedy: 'Start over from offset=-1.',
  },
  live: { text: 'A live read: it answers when there is something new, or its time is up.', section: '5.7' },
  read: { text: 'A catch-up read: what there is, up to a chunk.', section: '5.6' },
  created: { text: 'The stream was not there before.', section: '5.1' },
  exists: { text: 'A PUT that asks for what is there already changes nothing.', section: '5.1' },
};

export function ruleOf(decision: string, code: string): Rule | null {
  return RULES[code] ?? (code === '' ? (RULES[decision] ?? null) : null);
}
