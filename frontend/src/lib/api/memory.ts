import { call, send } from './client';

/** What every window and browser on the server's data folder remembers: name to value. */
export async function readMemory(): Promise<Record<string, string>> {
  return (await call<{ values: Record<string, string> }>('GET', '/api/memory')).values;
}

/** Has values remembered; those that are not named stay. With keepalive also while the page goes. */
export async function changeMemory(values: Record<string, string>, keepalive = false): Promise<void> {
  await send('PATCH', '/api/memory', { body: { values }, keepalive });
}
