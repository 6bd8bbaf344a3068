import { describe, expect, it } from 'vitest';
import { UNITS } from '#chaos/bridge/lane.ts';
import { HAPPENINGS } from '#chaos/bridge/storm.ts';
import { reconcile, SLURM_PATIENCE, type TaskEvidence } from '#core/reconcile.ts';
import { FAULT_POINTS } from '#test/bridge-agent/fault-points.ts';
import { Recordings, VERSIONS } from '#test/slurm/recordings.ts';

/** What was measured to break bridges, what this one does about it, and what of the chaos run provokes it. */
interface Rule {
  readonly breaks: string;
  readonly rule: string;
  /** Names of `chaos/bridge`: a fault of the storm, a behaviour of a unit, or a point at which the agent is killed. */
  readonly faults: readonly string[];
  /** What the recorded outputs of a version lead to. */
  readonly decides: (recorded: Recordings) => unknown;
  readonly decision: unknown;
}

/** A task that was submitted long ago and of which looks have shown this for long. */
function decide(look: TaskEvidence['look'], changes: Partial<TaskEvidence> = {}) {
  const long = { sinceSubmission: 1000, missingLooks: 10, sinceGone: 1000, releases: 0 };
  return reconcile({ recorded: false, holderAlive: false, look, ...long, ...changes }, SLURM_PATIENCE);
}

const RULES: readonly Rule[] = [
  {
    breaks: 'sbatch times out, and the job exists',
    rule: 'the submission is unknown, and found by its name; sbatch is not run again',
    faults: ['slurmctld frozen', 'Scheduler:Answered'],
    decides: (recorded) => [recorded.submission('frozen').kind, recorded.look('frozen', 0, 'none')?.ended.length],
    decision: ['unknown', 1],
  },
  {
    breaks: 'the controller is away',
    rule: 'sbatch says that nothing was created: later again; a look that fails decides nothing',
    faults: ['slurmctld killed'],
    decides: (recorded) => [
      recorded.submission('away'),
      recorded.answer('squeue-away').status,
      decide(null).act,
      decide(null, { sinceGone: 1e6 }).act,
    ],
    decision: [
      { kind: 'rejected', permanent: false, reason: expect.stringContaining('connect failure') },
      1,
      'wait',
      'wait',
    ],
  },
  {
    breaks: 'the controller is frozen: squeue fails, while sacct ends well and knows nothing',
    rule: 'liveness is the queue’s alone; a look that fails decides nothing',
    faults: ['slurmctld frozen'],
    decides: (recorded) => [recorded.answer('squeue-frozen').status, recorded.answer('sacct-frozen').status],
    decision: [1, 0],
  },
  {
    breaks: 'squeue and scancel end well also of a name that nobody has',
    rule: 'their exit status says nothing of a job: an empty listing is a look, three of them and 25 s a loss',
    faults: ['slurmctld killed'],
    decides: (recorded) => [
      recorded.answer('squeue-nobody').status,
      recorded.answer('scancel-nobody').status,
      decide({ live: [], ended: [] }, { missingLooks: 2 }).act,
      decide({ live: [], ended: [] }, { sinceSubmission: 20 }).act,
      decide({ live: [], ended: [] }),
    ],
    decision: [0, 0, 'wait', 'wait', expect.objectContaining({ act: 'lost', cause: 'missing', free: true })],
  },
  {
    breaks: 'a job was acknowledged, the controller died and forgot it, and its id is another job’s now',
    rule: 'identity is the name: the other job’s end is not its end; it is missing, and lost without costing a try',
    faults: ['slurmctld killed'],
    decides: (recorded) => [
      recorded.look('kept', null, 'accounts'),
      decide(recorded.look('kept', null, 'accounts')),
      recorded.look('reuser', 0, 'none')?.ended.map(({ jobId }) => jobId),
    ],
    decision: [{ live: [], ended: [] }, expect.objectContaining({ act: 'lost', cause: 'missing', free: true }), ['20']],
  },
  {
    breaks: 'a node is called dead and the task runs on',
    rule: 'whoever touches the claim works; nothing is submitted while he does',
    faults: ['slurmd killed'],
    decides: (recorded) => decide(recorded.look('node-fail', 0, 'accounts'), { holderAlive: true }),
    decision: { act: 'wait', evidence: true, why: expect.stringContaining('claim') },
  },
  {
    breaks: 'a node died with its task; the exit code is 0:0 on 22.05 and 1:0 on 24.11',
    rule: 'the state counts, not the code; lost without costing a try, elsewhere the next time',
    faults: ['node killed'],
    decides: (recorded) => decide(recorded.look('node-fail', 0, 'accounts')),
    decision: expect.objectContaining({ act: 'lost', cause: 'node-fail', free: true, node: 'n1' }),
  },
  {
    breaks: 'Slurm queues the task of a dead node again by itself, while accounting calls it failed',
    rule: 'the queue goes before accounting: adopted, not submitted again',
    faults: ['node killed'],
    decides: (recorded) => decide(recorded.look('node-requeue', 0, 'accounts')),
    decision: expect.objectContaining({ act: 'adopt', surplus: [] }),
  },
  {
    breaks: 'a more urgent job takes the place, in one partition for good',
    rule: 'lost without costing a try',
    faults: ['node killed'],
    decides: (recorded) => decide(recorded.look('cheap', 0, 'accounts')),
    decision: expect.objectContaining({ act: 'lost', cause: 'preempted', free: true }),
  },
  {
    breaks: 'a more urgent job takes the place, and the task is queued again',
    rule: 'adopted: it starts again as the same job',
    faults: ['node killed'],
    decides: (recorded) => decide(recorded.look('requeued', 0, 'accounts')),
    decision: expect.objectContaining({ act: 'adopt', surplus: [] }),
  },
  {
    breaks: 'a launch fails, and Slurm holds the task for ever',
    rule: 'released, three times at most; then cancelled and lost',
    faults: ['launch failed'],
    decides: (recorded) => [
      decide(recorded.look('launch', 0, 'none')).act,
      decide(recorded.look('launch', 0, 'none'), { releases: 3 }).act,
      decide(recorded.look('launch', 1, 'accounts'), { recorded: true }).act,
    ],
    decision: ['release', 'abandon', 'finish'],
  },
  {
    breaks: 'a task can never start, and waits for ever without an error',
    rule: 'its reason says so: cancelled and lost; one that is held is released, since failed launches look like that too',
    faults: [],
    decides: (recorded) =>
      ['partition-time', 'dependency', 'held'].map((name) => decide(recorded.look(name, 0, 'none')).act),
    decision: ['abandon', 'abandon', 'release'],
  },
  {
    breaks: 'a time limit ends a task; sacct says 0:15, or 0:0, as of one that was cancelled',
    rule: 'the state counts, not the code; tried again with more time, and it costs a try',
    faults: [],
    decides: (recorded) => [
      decide(recorded.look('timeout', 0, 'accounts')),
      decide(recorded.look('timeout', null, 'accounts')),
    ],
    decision: [
      expect.objectContaining({ act: 'lost', cause: 'timeout', free: false }),
      expect.objectContaining({ act: 'lost', cause: 'timeout', free: false }),
    ],
  },
  {
    breaks: 'memory runs out; without cgroups Slurm says FAILED and signal 9',
    rule: 'lost, and the record that the job side writes tells memory apart; without one it costs a try',
    faults: ['crash-once'],
    decides: (recorded) => decide(recorded.look('memory', 0, 'accounts')),
    decision: expect.objectContaining({
      act: 'lost',
      cause: 'failed',
      free: false,
      detail: expect.stringContaining('exit code 137'),
    }),
  },
  {
    breaks: 'exit 137 of a program is told as 9:0',
    rule: 'codes are for people; the record decides',
    faults: ['crash-once'],
    decides: (recorded) => recorded.look('exit-137', null, 'accounts')?.ended.map(({ exitCode }) => exitCode),
    decision: [9],
  },
  {
    breaks: 'a task is called completed, and left no exit record',
    rule: 'without its record it is not done: lost after the file system’s grace',
    faults: ['vanish-once'],
    decides: (recorded) => [
      decide(recorded.look('completed', 0, 'accounts')).act,
      decide(recorded.look('completed', 0, 'accounts'), { sinceGone: 1 }).act,
      decide(recorded.look('completed', 0, 'accounts'), { recorded: true }).act,
    ],
    decision: ['lost', 'wait', 'finish'],
  },
  {
    breaks: 'somebody cancels a task; one that waited has no index in squeue and none in sacct',
    rule: 'lost: seen as cancelled while it ran, as missing while it waited',
    faults: [],
    decides: (recorded) => [
      decide(recorded.look('cancelled', 0, 'accounts')),
      decide(recorded.look('cancelled-pending', 0, 'accounts')),
    ],
    decision: [
      expect.objectContaining({ act: 'lost', cause: 'cancelled', free: false }),
      expect.objectContaining({ act: 'lost', cause: 'missing' }),
    ],
  },
  {
    breaks: 'the agent dies between sbatch’s answer and its commit',
    rule: 'the intent was committed before; the job is found by its name and adopted',
    faults: ['Job:Submitting:after', 'Scheduler:Answered', 'Job:Submitted:before'],
    decides: (recorded) => decide(recorded.look('requeued', 0, 'none'), { sinceSubmission: 1, missingLooks: 0 }).act,
    decision: 'adopt',
  },
  {
    breaks: 'a message comes twice, or a new token for live work',
    rule: 'the work’s key is one row; the new token is bound to it; answers wait in an outbox until they were taken',
    faults: ['messages repeated', 'Job:Received:after', 'Job:Rebound:after', 'Reply:Sent', 'Reply:Delivered:before'],
    decides: () => null,
    decision: null,
  },
  {
    breaks: 'a part fails for its science, or for its node',
    rule: 'the record’s kind decides: science is told once, infrastructure is tried again elsewhere',
    faults: ['science', 'flaky'],
    decides: () => null,
    decision: null,
  },
];

describe.each(VERSIONS)('the rules, on what Slurm %s printed', (version) => {
  it.each(RULES)('$breaks: $rule', ({ decides, decision }) => {
    expect(decides(new Recordings(version))).toEqual(decision);
  });

  it.each([
    ['invalid-partition', { kind: 'rejected', permanent: true }],
    ['array-too-large', { kind: 'rejected', permanent: true }],
    ['node-name', { kind: 'rejected', permanent: true }],
    // Without limits that accounting enforces, Slurm takes what it will never run; the reason tells it later.
    ['invalid-account', { kind: 'submitted' }],
    ['invalid-qos', { kind: 'submitted' }],
  ])('the answer to %s', (what, outcome) => {
    expect(new Recordings(version).submission(what)).toMatchObject(outcome);
  });
});

it('the chaos run provokes what the rules are for, and every fault of it has its rule', () => {
  const provoked = new Set<string>([
    ...HAPPENINGS,
    ...FAULT_POINTS,
    ...UNITS.flatMap(({ behave }) => behave ?? []),
    'messages repeated',
  ]);
  const named = RULES.flatMap(({ faults }) => faults);
  expect(named.filter((fault) => !provoked.has(fault))).toEqual([]);
  expect(HAPPENINGS.filter((fault) => !named.includes(fault))).toEqual([
    'slurmctld frozen for a minute',
    'drained node resumed',
  ]);
  expect(UNITS.flatMap(({ behave }) => behave ?? []).filter((behave) => !named.includes(behave))).toEqual([]);
});
