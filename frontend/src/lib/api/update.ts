import { call } from './client';
import type { Update } from './types';

export function readUpdate(): Promise<Update> {
  return call('GET', '/api/update');
}
