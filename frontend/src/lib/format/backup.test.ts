import { describe, expect, it } from 'vitest';
import type { Backup, Job, Target } from '$lib/api/types';
import { backupState, restoreCommands } from './backup';

const backup: Backup = {
  location: '/var/backups/backup/1770000000000',
  taken_at: 1770000000000,
  size: 1000,
  files: 2,
  streams: 3,
  program: 'tailrace 0.1.0',
  config: false,
  cold_files: 0,
  cold_bytes: 0,
  unreachable: [],
  problem: null,
};

const job = (changes: Partial<Job>) => ({ state: 'done', problem: null, error: null, backup: null, ...changes }) as Job;

describe('backupState', () => {
  it.each([
    ['nobody has looked', backup, undefined, ['', 'not verified', null]],
    ['it is being read', backup, job({ state: 'running', ended_at: null }), ['', 'verifying …', null]],
    ['it was never finished', { ...backup, problem: 'no manifest' }, undefined, ['bad', 'not whole', 'no manifest']],
    ['it is whole', backup, job({ backup }), ['good', 'verified', null]],
    [
      'it is damaged',
      backup,
      job({ state: 'failed', problem: 'damaged', error: 'a bit' }),
      ['bad', 'damaged', 'a bit'],
    ],
    ['looking was cancelled', backup, job({ state: 'canceled' }), ['', 'not verified', null]],
    [
      'what compacted streams are read from is gone',
      backup,
      job({ backup: { ...backup, unreachable: ['a: gone', 'b: gone'] } }),
      ['bad', 'lacks 2 files', 'a: gone\nb: gone'],
    ],
  ] as const)('%s', (_, item, verify, [tone, words, detail]) => {
    expect(backupState(item, verify)).toEqual({ tone, words, detail });
  });
});

describe('restoreCommands', () => {
  const cloud: Target = {
    name: 'cloud',
    location: 's3://kept/here',
    endpoint: 'http://127.0.0.1:9000',
    region: 'eu-west-1',
    path_style: true,
  };

  it('makes a folder beside that of the server, and starts on it', () => {
    expect(restoreCommands(backup, undefined, '/home/me/streams/')).toBe(
      'tailrace backup restore /var/backups/backup/1770000000000 --data-dir /home/me/streams-restored\n' +
        'tailrace serve --data-dir /home/me/streams-restored',
    );
  });

  it('quotes what a shell would take apart, and starts with the configuration that is there', () => {
    expect(restoreCommands({ ...backup, location: "/it's/backup/1", config: true }, undefined, '/my data')).toBe(
      "tailrace backup restore '/it'\\''s/backup/1' --data-dir '/my data-restored'\n" +
        "tailrace serve --data-dir '/my data-restored' --config '/my data-restored'/config.toml",
    );
  });

  it('says how a bucket is reached', () => {
    expect(restoreCommands({ ...backup, location: 's3://kept/here/backup/1' }, cloud, '/d').split('\n')[0]).toBe(
      'tailrace backup restore s3://kept/here/backup/1 --endpoint http://127.0.0.1:9000 --region eu-west-1 --path-style --data-dir /d-restored',
    );
  });

  it('says nothing of it for a folder', () => {
    expect(restoreCommands(backup, { ...cloud, location: '/var/backups' }, '/d')).not.toContain('--endpoint');
  });
});
