import type { LiveReader } from '$lib/api/types';
import { agentName } from '$lib/format/agent';
import { formatSpan } from '$lib/format/time';

const SLOW_SECONDS = 1;
const FAR_SECONDS = 10;

/** How bad a reader's lag is. */
export function lagTone({ messages, seconds }: LiveReader): '' | 'slow' | 'far' {
  if (messages === 0 || seconds < SLOW_SECONDS) return '';
  return seconds < FAR_SECONDS ? 'slow' : 'far';
}

export function lagWords({ messages, seconds }: LiveReader): string {
  if (messages === 0) return 'at tail';
  return seconds < FAR_SECONDS ? `${seconds.toFixed(1)} s` : formatSpan(seconds * 1000);
}

/** Who reads: the program, else what its User-Agent calls it, else the address. */
export function who({ process, agent, remote }: Pick<LiveReader, 'process' | 'agent' | 'remote'>): string {
  return process?.name || agentName(agent) || remote;
}
