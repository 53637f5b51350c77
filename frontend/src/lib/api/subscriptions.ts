import { call, send } from './client';
import type { SubscriptionDetail, SubscriptionList } from './types';

function at(id: string): string {
  return `/api/subscriptions/${encodeURIComponent(id)}`;
}

export function listSubscriptions(signal?: AbortSignal): Promise<SubscriptionList> {
  return call('GET', '/api/subscriptions', { signal });
}

export function readSubscription(id: string, signal?: AbortSignal): Promise<SubscriptionDetail> {
  return call('GET', at(id), { signal });
}

export async function redeliver(id: string): Promise<void> {
  await send('POST', `${at(id)}/redeliver`);
}

export async function releaseLease(id: string): Promise<void> {
  await send('POST', `${at(id)}/release`);
}

export async function deleteSubscription(id: string): Promise<void> {
  await send('DELETE', at(id));
}
