import { call } from './client';
import type { DemoState } from './types';

export function readDemo(signal?: AbortSignal): Promise<DemoState> {
  return call('GET', '/api/demo', { signal });
}

export function startDemo(seconds: number): Promise<DemoState> {
  return call('POST', '/api/demo', { body: { seconds } });
}

export function stopDemo(): Promise<DemoState> {
  return call('POST', '/api/demo/stop');
}

export function removeDemo(): Promise<{ removed: number }> {
  return call('DELETE', '/api/demo');
}
