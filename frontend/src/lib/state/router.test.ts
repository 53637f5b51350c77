import { describe, expect, it } from 'vitest';
import { readRequestKey, requestKey, router, streamHref, streamsHref } from './router.svelte';

function visit(hash: string): void {
  location.hash = hash;
  window.dispatchEvent(new Event('hashchange'));
}

describe('router', () => {
  it('reads a stream and how it is seen', () => {
    visit('#/s/chat%2F4f2a%2Ft%C3%BCrns?tab=producers&at=120');
    expect(router.place).toEqual({ view: 'stream', path: 'chat/4f2a/türns' });
    expect([router.get('tab'), router.get('at'), router.get('view')]).toEqual(['producers', '120', '']);
  });

  it('shows the streams for anything else', () => {
    for (const hash of ['', '#/', '#/nope', '#/s/%E0%A4%A', '#/streams']) {
      visit(hash);
      expect(router.place).toEqual({ view: 'streams' });
    }
  });

  it('makes addresses that it reads back', () => {
    const path = 'a b/ü?#&%/流れ';
    visit(streamHref(path, { at: '7', view: null }));
    expect(router.place).toEqual({ view: 'stream', path });
    expect(router.get('at')).toBe('7');
    expect(streamsHref()).toBe('#/streams');
  });

  it('names a request together with its journal', () => {
    expect(readRequestKey(requestKey(15, 1_764_256_623_000))).toEqual({ id: 15, journal: 1_764_256_623_000 });
    expect(readRequestKey('15')).toEqual({ id: 15, journal: 0 });
    expect(readRequestKey('')).toEqual({ id: null, journal: 0 });
    expect(readRequestKey('x-y')).toEqual({ id: null, journal: 0 });
  });

  it('changes the view without a step in the history', () => {
    visit('#/streams?filter=a');
    const steps = history.length;
    router.update({ filter: 'chat/**', kind: 'json' });
    expect(router.get('filter')).toBe('chat/**');
    expect(location.hash).toContain('kind=json');
    router.update({ filter: '' });
    expect(location.hash).not.toContain('filter');
    expect(history.length).toBe(steps);
  });
});
