import type { Backup, Job, Target } from '$lib/api/types';
import { shellQuote } from './curl';
import { plural } from './number';

export interface BackupState {
  tone: 'good' | 'bad' | '';
  words: string;
  /** What is wrong, at length. */
  detail: string | null;
}

/** What is known of a backup: from its manifest, and from the last job that verified it. */
export function backupState({ problem }: Backup, verify: Job | undefined): BackupState {
  if (verify?.state === 'running') return { tone: '', words: 'verifying …', detail: null };
  if (problem !== null) return { tone: 'bad', words: 'not whole', detail: problem };
  if (verify?.state === 'failed') return { tone: 'bad', words: verify.problem ?? 'failed', detail: verify.error };
  if (verify?.state !== 'done') return { tone: '', words: 'not verified', detail: null };
  const lost = verify.backup?.unreachable ?? [];
  if (lost.length === 0) return { tone: 'good', words: 'verified', detail: null };
  return { tone: 'bad', words: `lacks ${plural(lost.length, 'file')}`, detail: lost.join('\n') };
}

/** The commands that make a data folder of a backup, and start a server on it. */
export function restoreCommands({ location, config }: Backup, target: Target | undefined, dataDir: string): string {
  const folder = shellQuote(`${dataDir.replace(/[\\/]+$/, '')}-restored`);
  const restore = ['tailrace backup restore', shellQuote(location)];
  if (target !== undefined && location.startsWith('s3://')) {
    if (target.endpoint !== '') restore.push('--endpoint', shellQuote(target.endpoint));
    if (target.region !== '') restore.push('--region', shellQuote(target.region));
    if (target.path_style) restore.push('--path-style');
  }
  const serve = ['tailrace serve --data-dir', folder];
  if (config) serve.push('--config', `${folder}/config.toml`);
  return `${[...restore, '--data-dir', folder].join(' ')}\n${serve.join(' ')}`;
}
