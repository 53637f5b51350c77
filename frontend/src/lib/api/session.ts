import { call, setToken } from './client';

/** Trades a one-time code for the token that every other call needs. */
export async function openSession(code: string): Promise<void> {
  const { token } = await call<{ token: string }>('POST', '/api/session', { body: { code } });
  setToken(token);
}
