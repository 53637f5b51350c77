import { call, send } from './client';
import type { Fault, FaultSpec } from './types';

export async function listFaults(signal?: AbortSignal): Promise<Fault[]> {
  return (await call<{ faults: Fault[] }>('GET', '/api/faults', { signal })).faults;
}

export function armFault(spec: FaultSpec): Promise<Fault> {
  return call('POST', '/api/faults', { body: spec });
}

export async function disarmFault(id: number): Promise<void> {
  await send('DELETE', `/api/faults/${id}`);
}

export async function disarmFaults(): Promise<void> {
  await send('DELETE', '/api/faults');
}
