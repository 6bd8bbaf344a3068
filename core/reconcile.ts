import { ALL_TASKS, type EndedTask, type EndState, type LiveTask, type Observation } from '#core/scheduler.ts';

/** Everything known about one task at one moment. Times in seconds, of one clock. */
export interface TaskEvidence {
  /** Whether every unit of the task has its exit record. */
  readonly recorded: boolean;
  /** What the scheduler says: tasks of this index under any name of this work. Null when the query failed. */
  readonly look: { readonly live: readonly LiveTask[]; readonly ended: readonly EndedTask[] } | null;
  /** Whether the job side's claim was touched lately: somebody works on it, whatever the scheduler believes. */
  readonly holderAlive: boolean;
  /** Since its submission was written down. */
  readonly sinceSubmission: number;
  /** Successful looks in a row that showed neither life nor end, this one included. */
  readonly missingLooks: number;
  /** Since a look first showed it neither alive nor recorded; zero when this look is the first. */
  readonly sinceGone: number;
  /** How often we released it from a hold already. */
  readonly releases: number;
}

export interface Patience {
  /** For an exit record to appear on a shared file system after its task has ended. */
  readonly recordGraceSeconds: number;
  /** Before a submission that nobody sees counts as lost; more than the scheduler's own message time-out. */
  readonly submissionGraceSeconds: number;
  readonly missingLooks: number;
  readonly releases: number;
}

/** Slurm's MessageTimeout is 10 s by default, and a frozen controller was seen to create the job after that. */
export const SLURM_PATIENCE: Patience = {
  recordGraceSeconds: 15,
  submissionGraceSeconds: 25,
  missingLooks: 3,
  releases: 3,
};

export type LossCause = EndState | 'missing' | 'stuck';

export type Decision =
  | { readonly act: 'finish' }
  /** Nothing to do. `evidence`: whether this look proves that the task lives. */
  | { readonly act: 'wait'; readonly evidence: boolean; readonly why: string }
  /** It lives as `keep` (one that runs before one that waits, then the lowest id); cancel `surplus`. */
  | { readonly act: 'adopt'; readonly keep: LiveTask; readonly surplus: readonly LiveTask[] }
  | { readonly act: 'release'; readonly task: LiveTask }
  /** It can never start; cancel it and treat it as lost. */
  | { readonly act: 'abandon'; readonly task: LiveTask; readonly reason: string }
  /** It will write no record any more. `free`: the loss was not its own doing and costs no try. */
  | {
      readonly act: 'lost';
      readonly cause: LossCause;
      readonly free: boolean;
      readonly detail: string;
      readonly node: string;
    };

/** Held by the system after a failed launch; a release puts it back in the queue. */
const RELEASABLE = /^(launch_?failed|.*launch failed.*held.*|JobHeld|JobHoldMaxRequeue)/i;

/** Pending reasons that no waiting cures. */
const HOPELESS =
  /^(BadConstraints|DependencyNeverSatisfied|PartitionTimeLimit|PartitionNodeLimit|Invalid|AccountNotAllowed|QOSNotAllowed|AssocMaxWallDurationPerJobLimit|QOSMaxWallDurationPerJobLimit)/i;

/** Exit codes of the job side that mean "another one holds the claim", or that its site's lease was over. */
const FENCED = new Set([75, 76, 77]);

const FREE = new Set<LossCause>(['node-fail', 'preempted', 'missing']);

/**
 * The decision table of one task: exit record first, then the queue, then accounting, and never anything from a query
 * that failed.
 *
 * | record | queue            | accounting | decision                                    |
 * |--------|------------------|------------|---------------------------------------------|
 * | yes    | any              | any        | finish                                      |
 * | no     | query failed     | -          | wait                                        |
 * | no     | alive, can start | any        | adopt it, cancel its duplicates             |
 * | no     | held by a launch | any        | release a few times, then abandon           |
 * | no     | never can start  | any        | abandon                                     |
 * | no     | absent           | any        | wait while the claim's holder shows life    |
 * | no     | absent           | ended      | lost, after the file system's grace         |
 * | no     | absent           | nothing    | lost, after enough looks and enough seconds |
 */
export function reconcile(evidence: TaskEvidence, patience: Patience): Decision {
  if (evidence.recorded) return { act: 'finish' };
  const { look } = evidence;
  if (look === null) return { act: 'wait', evidence: evidence.holderAlive, why: 'the scheduler did not answer' };
  const [lowest, ...surplus] = [...look.live].sort(
    (a, b) => Number(b.state === 'running') - Number(a.state === 'running') || byJobId(a, b),
  );
  if (lowest) return decideLive(lowest, surplus, evidence.releases, patience);
  if (evidence.holderAlive) {
    return { act: 'wait', evidence: true, why: 'not in the queue, but its process touches the claim' };
  }
  const last = [...look.ended].sort(byJobId).at(-1);
  return last ? decideEnded(last, evidence, patience) : decideMissing(evidence, patience);
}

function decideLive(task: LiveTask, surplus: readonly LiveTask[], releases: number, patience: Patience): Decision {
  if (task.state === 'running') return { act: 'adopt', keep: task, surplus };
  if (HOPELESS.test(task.reason)) return { act: 'abandon', task, reason: task.reason };
  if (!RELEASABLE.test(task.reason)) return { act: 'adopt', keep: task, surplus };
  return releases < patience.releases ? { act: 'release', task } : { act: 'abandon', task, reason: task.reason };
}

function decideEnded(task: EndedTask, evidence: TaskEvidence, patience: Patience): Decision {
  if (evidence.sinceGone < patience.recordGraceSeconds) {
    return { act: 'wait', evidence: false, why: 'ended; its exit record may still appear' };
  }
  const fenced = task.exitCode !== null && FENCED.has(task.exitCode);
  const code = task.exitCode === null ? '' : `, exit code ${task.exitCode}`;
  const where = task.node ? ` on ${task.node}` : '';
  return {
    act: 'lost',
    cause: task.state,
    free: fenced || FREE.has(task.state),
    detail: `job ${task.jobId}_${task.task} ended as ${task.state}${code}${where}, without an exit record`,
    node: task.node,
  };
}

function decideMissing(evidence: TaskEvidence, patience: Patience): Decision {
  const looked = evidence.missingLooks >= patience.missingLooks;
  if (!looked || evidence.sinceSubmission <= patience.submissionGraceSeconds) {
    return { act: 'wait', evidence: false, why: 'not seen yet' };
  }
  if (evidence.sinceGone < patience.recordGraceSeconds) {
    return { act: 'wait', evidence: false, why: 'gone; its exit record may still appear' };
  }
  return {
    act: 'lost',
    cause: 'missing',
    free: true,
    detail: `neither queue nor accounting knew it in ${evidence.missingLooks} looks`,
    node: '',
  };
}

/** Numeric where ids are numbers, so that job 99 comes before job 100. */
function byJobId(a: { readonly jobId: string }, b: { readonly jobId: string }): number {
  return a.jobId.localeCompare(b.jobId, 'en', { numeric: true });
}

/**
 * The part of an observation that speaks of one task. Ends count under its newest name only.
 * @param names of the submissions that the task was part of.
 */
export function lookAtTask(
  observation: Observation,
  names: readonly string[],
  currentName: string,
  task: number,
): TaskEvidence['look'] {
  if (observation.kind === 'failed') return null;
  const means = (one: { readonly task: number }) => one.task === task || one.task === ALL_TASKS;
  return {
    live: observation.live.filter((one) => means(one) && names.includes(one.name)),
    ended: observation.ended.filter((one) => means(one) && one.name === currentName),
  };
}
