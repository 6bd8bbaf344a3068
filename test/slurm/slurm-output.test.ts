import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseSacct, parseSacctUsage, parseSbatch, parseSqueue } from '#adapters/slurm-output.ts';
import { ALL_TASKS } from '#core/scheduler.ts';

const recorded = (name: string) => readFileSync(new URL(`./recorded/${name}`, import.meta.url), 'utf8');

describe('the answer of sbatch', () => {
  it.each([
    ['a job id', '1580\n', '1580'],
    ['a job id and a cluster', '1580;lab\n', '1580'],
  ])('%s', (_what, stdout, jobId) => {
    expect(parseSbatch(0, stdout, '')).toEqual({ kind: 'submitted', jobId });
  });

  it.each([
    'sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified',
    'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified',
    'sbatch: error: Batch job submission failed: Invalid qos specification',
    'sbatch: error: Batch job submission failed: Invalid job array specification',
    'sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available',
    'sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)',
    'sbatch: error: Batch job submission failed: More processors requested than permitted',
    'sbatch: error: CPU count per node can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available',
    'sbatch: error: Batch job submission failed: Pathname of a file, directory or other parameter too long',
    "sbatch: error: Batch job submission failed: User's group not permitted to use this partition",
  ])('refused for good: %s', (stderr) => {
    expect(parseSbatch(1, '', stderr)).toMatchObject({ kind: 'rejected', permanent: true });
  });

  it.each([
    'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)',
    "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\nsbatch: error: Batch job submission failed: Resource temporarily unavailable',
  ])('refused for now: %s', (stderr) => {
    expect(parseSbatch(1, '', stderr)).toMatchObject({ kind: 'rejected', permanent: false });
  });

  it.each([
    [1, '', 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation'],
    [1, '', 'sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received'],
    [1, '', 'sbatch: error: something that nobody has seen yet'],
    [1, '', ''],
    [0, '', ''],
    [null, '', 'sbatch: error: Batch job submission failed: Invalid partition name specified'],
    [null, '77\n', ''],
  ])('everything else may have created a job: status %s, %j, %j', (status, stdout, stderr) => {
    expect(parseSbatch(status, stdout, stderr).kind).toBe('unknown');
  });
});

describe.each(['22.05.8', '24.11.5'])('the listings of Slurm %s', (version) => {
  it('of squeue: waiting, running, held and ended tasks of arrays', () => {
    const { live, ended } = parseSqueue(recorded(`squeue-${version}.txt`));
    const name = 'ponte-recorded';
    expect(live).toContainEqual({ name, jobId: '2', task: 0, state: 'running', reason: '' });
    expect(live).toContainEqual({ name: 'ponte-held', jobId: '3', task: 1, state: 'pending', reason: 'JobHeldUser' });
    expect(ended.map(({ name: of, task, state }) => [of, task, state])).toEqual(
      expect.arrayContaining([
        ['ponte-ended', 0, 'completed'],
        ['ponte-ended', 1, 'failed'],
        ['ponte-gone', 0, 'cancelled'],
      ]),
    );
    expect([...live, ...ended].some(({ name: of }) => of === 'no-array')).toBe(false);
  });
});

describe('faults, as squeue of Slurm 22.05.8 printed them', () => {
  const text = recorded('squeue-22.05.8-allocation.txt');

  it('of allocations: on its way out when its node went down, queued again, running again; one that failed', () => {
    const { live, ended } = parseSqueue(text, 'allocation');
    // Its reason while it completes is not a hold: it is in Slurm's hands and was queued again by itself.
    expect(live.map(({ state, reason }) => [state, reason])).toEqual([
      ['running', ''],
      ['pending', 'BeginTime'],
      ['running', ''],
    ]);
    expect(ended).toMatchObject([{ jobId: '3', task: ALL_TASKS, state: 'failed', exitCode: null, node: 'n1' }]);
  });

  it('of a task at its time limit', () => {
    expect(parseSqueue(text).ended).toMatchObject([{ jobId: '4', task: 0, state: 'timeout', exitCode: null }]);
  });
});

describe.each(['22.05.8', '24.11.5'])('an allocation in the listing of Slurm %s', (version) => {
  it('is one job that holds all its tasks; array tasks are not ours then', () => {
    const { live, ended } = parseSqueue(recorded(`squeue-${version}.txt`), 'allocation');
    expect([...live, ...ended]).toMatchObject([{ name: 'no-array', jobId: '5', task: ALL_TASKS, state: 'completed' }]);
  });
});

describe('the listing of sacct', () => {
  const text = [
    '503_0|ponte-a|COMPLETED|0:0|n1|12',
    '503_1|ponte-a|FAILED|2:0|n1|3',
    '503_2|ponte-a|FAILED|0:9|n2|3',
    '503_3|ponte-a|CANCELLED by 1000|0:0|None assigned|0',
    '503_4|ponte-a|NODE_FAIL|0:0|n2|40',
    '503_4|ponte-a|OUT_OF_MEMORY|0:125|n1|41',
    '503_5|ponte-a|RUNNING|0:0|n1|9',
    '503_[6-39%4]|ponte-a|PENDING|0:0|None assigned|0',
    '504|no-array|COMPLETED|0:0|n1|1',
    '505_0|ponte-b|TIMEOUT|0:0|n1|60',
    '',
  ].join('\n');

  it('gives ends only: a live state there may be of a job lost long ago', () => {
    expect(parseSacct(text).map(({ task, state, exitCode, node }) => [task, state, exitCode, node])).toEqual([
      [0, 'completed', 0, 'n1'],
      [1, 'failed', 2, 'n1'],
      [2, 'failed', 137, 'n2'],
      [3, 'cancelled', 0, ''],
      [4, 'node-fail', 0, 'n2'],
      [4, 'out-of-memory', 253, 'n1'],
      [0, 'timeout', 0, 'n1'],
    ]);
  });

  it('as Slurm 22.05.8 printed it', () => {
    const ends = parseSacct(recorded('sacct-22.05.8.txt'));
    const of = (name: string) =>
      ends.filter((end) => end.name === name).map(({ task, state, exitCode }) => [task, state, exitCode]);
    expect(of('ponte-contract-1')).toEqual([
      [0, 'completed', 0],
      [2, 'completed', 0],
      [5, 'failed', 3],
    ]);
    expect(of('ponte-contract-5')).toEqual([
      [0, 'completed', 0],
      [1, 'cancelled', 0],
    ]);
    expect(parseSacctUsage(recorded('sacct-22.05.8.txt')).get('ponte-acct')).toBe(12);
  });

  it('adds up what each name cost', () => {
    expect(parseSacctUsage(text)).toEqual(
      new Map([
        ['ponte-a', 108],
        ['no-array', 1],
        ['ponte-b', 60],
      ]),
    );
  });
});
