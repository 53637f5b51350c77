import { expect, test } from 'vitest';
import type { StreamStorage } from '$lib/api/types';
import { partsOf } from './parts';

const empty: StreamStorage = {
  inherited: [],
  cold: [],
  hot: {
    start_offset: '0',
    messages: 0,
    segments: { pieces: 0, bytes: 0 },
    files: [],
    unsealed: { pieces: 0, bytes: 0 },
  },
  cached: 0,
  leaving: 0,
  frees: 0,
};

test('a stream without messages has no parts', () => {
  expect(partsOf(empty)).toEqual([]);
});

test('parts go from the beginning to the tail, places of the log follow it', () => {
  const parts = partsOf({
    ...empty,
    inherited: [{ stream: 'a', end_offset: '2', messages: 2 }],
    cold: [{ end_offset: '9', messages: 7, last_at: 1, snapshot: 3, location: '/k/x.seg', target: null, size: 400 }],
    hot: {
      ...empty.hot,
      messages: 5,
      segments: { pieces: 2, bytes: 100 },
      files: [{ name: 'extents/1', pieces: 1, bytes: 1000 }],
      unsealed: { pieces: 1, bytes: 10 },
    },
    frees: 1110,
  });
  expect(parts.map(({ kind, messages, bytes }) => [kind, messages, bytes])).toEqual([
    ['inherited', 2, null],
    ['cold', 7, 400],
    ['log', 5, 1110],
    ['segments', null, 100],
    ['file', null, 1000],
    ['unsealed', null, 10],
  ]);
});
