import { describe, expect, it } from 'vitest';
import { lookAtTask, reconcile, SLURM_PATIENCE, type TaskEvidence } from '#core/reconcile.ts';
import {
  ALL_TASKS,
  arraySpecification,
  END_STATES,
  type EndedTask,
  type EndState,
  type LiveTask,
} from '#core/scheduler.ts';

const live = (changes: Partial<LiveTask> = {}): LiveTask => ({
  name: 'ponte-a',
  jobId: '100',
  task: 0,
  state: 'running',
  reason: '',
  ...changes,
});
const ended = (state: EndState, changes: Partial<EndedTask> = {}): EndedTask => ({
  name: 'ponte-a',
  jobId: '100',
  task: 0,
  state,
  exitCode: null,
  node: 'n1',
  ...changes,
});
const NOTHING = { live: [], ended: [] };

/** A task that was submitted long ago and of which every look has shown nothing. */
const decide = (changes: Partial<TaskEvidence>) =>
  reconcile(
    {
      recorded: false,
      look: NOTHING,
      holderAlive: false,
      sinceSubmission: 1000,
      missingLooks: 10,
      sinceGone: 1000,
      releases: 0,
      ...changes,
    },
    SLURM_PATIENCE,
  );

describe('the decision table', () => {
  it.each([
    ['the queue still shows it', { live: [live()], ended: [] }],
    ['the query failed', null],
    ['accounting calls it failed', { live: [], ended: [ended('failed')] }],
  ])('exit record: finished, also when %s', (_when, look) => {
    expect(decide({ recorded: true, look })).toEqual({ act: 'finish' });
  });

  it('failed query: no decision, however long it was', () => {
    expect(decide({ look: null })).toMatchObject({ act: 'wait', evidence: false });
    expect(decide({ look: null, holderAlive: true })).toMatchObject({ act: 'wait', evidence: true });
  });

  it('alive in the queue: adopted, whatever accounting says', () => {
    const running = live();
    expect(decide({ look: { live: [running], ended: [ended('node-fail')] } })).toEqual({
      act: 'adopt',
      keep: running,
      surplus: [],
    });
  });

  it('alive twice: the lowest id is kept, numerically, and the others cancelled', () => {
    const [a, b] = [live({ jobId: '99' }), live({ jobId: '100' })];
    expect(decide({ look: { live: [b, a], ended: [] } })).toEqual({ act: 'adopt', keep: a, surplus: [b] });
  });

  it('alive twice: one that runs is kept before one that waits', () => {
    const waits = live({ jobId: '99', state: 'pending', reason: 'Priority' });
    const runs = live({ jobId: '100' });
    expect(decide({ look: { live: [waits, runs], ended: [] } })).toEqual({
      act: 'adopt',
      keep: runs,
      surplus: [waits],
    });
  });

  it.each([
    'Priority',
    'Resources',
    'BeginTime',
    'None',
    'AssocMaxJobsLimit',
    'JobArrayTaskLimit',
  ])('waits for %s: adopted', (reason) => {
    expect(decide({ look: { live: [live({ state: 'pending', reason })], ended: [] } }).act).toBe('adopt');
  });

  it.each([
    'launch failed requeued held',
    '(launch failed requeued held)',
    'JobHeldAdmin',
    'JobHoldMaxRequeue',
  ])('held because of %s: released three times, then abandoned', (reason) => {
    const look = { live: [live({ state: 'pending', reason })], ended: [] };
    expect(decide({ look, releases: 2 }).act).toBe('release');
    expect(decide({ look, releases: 3 })).toMatchObject({ act: 'abandon', reason });
  });

  it.each([
    'BadConstraints',
    'DependencyNeverSatisfied',
    'PartitionTimeLimit',
    'InvalidAccount',
    'InvalidQOS',
  ])('waits for ever (%s): abandoned', (reason) => {
    expect(decide({ look: { live: [live({ state: 'pending', reason })], ended: [] } }).act).toBe('abandon');
  });

  it('gone, but its holder touches the claim: alive behind a dead daemon', () => {
    expect(decide({ holderAlive: true, look: { live: [], ended: [ended('node-fail')] } })).toMatchObject({
      act: 'wait',
      evidence: true,
    });
  });

  it.each(END_STATES)('ended as %s without a record: lost, after the file system’s grace', (state) => {
    const look = { live: [], ended: [ended(state)] };
    expect(decide({ look, sinceGone: 14 }).act).toBe('wait');
    expect(decide({ look, sinceGone: 16 })).toMatchObject({ act: 'lost', cause: state });
  });

  it.each([
    ['node-fail', null, true],
    ['preempted', null, true],
    ['failed', 75, true],
    ['failed', 76, true],
    ['failed', 1, false],
    ['timeout', 0, false],
    ['out-of-memory', null, false],
    ['completed', 0, false],
    ['cancelled', null, false],
  ] as const)('ended as %s with code %s: a free try is %s', (state, exitCode, free) => {
    expect(decide({ look: { live: [], ended: [ended(state, { exitCode })] } })).toMatchObject({ act: 'lost', free });
  });

  it('of several ends the newest counts', () => {
    const look = { live: [], ended: [ended('failed', { jobId: '1000' }), ended('node-fail', { jobId: '999' })] };
    expect(decide({ look })).toMatchObject({ cause: 'failed' });
  });

  it('seen nowhere: missing only after three looks and after the controller’s message time-out', () => {
    expect(decide({ missingLooks: 2 }).act).toBe('wait');
    expect(decide({ sinceSubmission: 25 }).act).toBe('wait');
    expect(decide({ sinceGone: 14 }).act).toBe('wait');
    expect(decide({ missingLooks: 3, sinceSubmission: 26, sinceGone: 15 })).toMatchObject({
      act: 'lost',
      cause: 'missing',
      free: true,
    });
  });
});

describe('a look at one task', () => {
  const names = ['ponte-a', 'ponte-b'];

  it('takes life under any name of the work, ends under the newest one only', () => {
    const observation = {
      kind: 'seen' as const,
      live: [live(), live({ name: 'ponte-b' }), live({ name: 'stranger' }), live({ task: 1 })],
      ended: [ended('failed'), ended('timeout', { name: 'ponte-b' }), ended('failed', { name: 'ponte-b', task: 1 })],
    };
    expect(lookAtTask(observation, names, 'ponte-b', 0)).toEqual({
      live: [live(), live({ name: 'ponte-b' })],
      ended: [ended('timeout', { name: 'ponte-b' })],
    });
  });

  it('takes an allocation for each of the tasks that its submission holds, and not for those of another one', () => {
    const whole = live({ task: ALL_TASKS });
    const observation = { kind: 'seen' as const, live: [whole], ended: [ended('failed', { task: ALL_TASKS })] };
    expect(lookAtTask(observation, names, 'ponte-a', 7)).toEqual({ live: [whole], ended: observation.ended });
    expect(lookAtTask(observation, ['ponte-b'], 'ponte-b', 7)).toEqual({ live: [], ended: [] });
  });

  it('of a query that failed is none', () => {
    expect(lookAtTask({ kind: 'failed', reason: 'silence' }, names, 'ponte-b', 0)).toBeNull();
  });
});

describe('the array specification', () => {
  it.each([
    [[0], '0'],
    [[2, 0, 1], '0-2'],
    [[0, 2, 3, 9], '0,2-3,9'],
  ])('of %j is %s', (tasks, text) => {
    expect(arraySpecification(tasks)).toBe(text);
  });
});
