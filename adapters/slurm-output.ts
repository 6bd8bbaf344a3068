import { ALL_TASKS, type EndedTask, type EndState, type LiveTask, type SubmitOutcome } from '#core/scheduler.ts';

/**
 * Parsers of the texts that sbatch, squeue and sacct print. These column formats are the same from Slurm 22.05 to
 * 24.11; the JSON ones are not, and 22.05 ignores filters when asked for JSON.
 */

/** `-o` of squeue: array job id, array index, name, state, reason, node, comment. The free text comes last. */
export const SQUEUE_FORMAT = '%F|%K|%j|%T|%N|%r';

/** `-o` of sacct, with `-P`. */
export const SACCT_FORMAT = 'JobID,JobName,State,ExitCode,NodeList,CPUTimeRAW';

/** States in which the job is still in the scheduler's hands. Anything not listed here or below counts as alive. */
const PENDING = new Set(['PENDING', 'CONFIGURING', 'REQUEUED', 'REQUEUE_HOLD', 'SPECIAL_EXIT', 'REQUEUE_FED']);

const ENDED: ReadonlyMap<string, EndState> = new Map([
  ['COMPLETED', 'completed'],
  ['FAILED', 'failed'],
  ['BOOT_FAIL', 'node-fail'],
  ['NODE_FAIL', 'node-fail'],
  ['CANCELLED', 'cancelled'],
  ['REVOKED', 'cancelled'],
  ['TIMEOUT', 'timeout'],
  ['DEADLINE', 'timeout'],
  ['OUT_OF_MEMORY', 'out-of-memory'],
  ['PREEMPTED', 'preempted'],
]);

/** `allocation`: one job that holds all tasks of its name. */
export type Shape = 'array' | 'allocation';

export interface QueueListing {
  readonly live: readonly LiveTask[];
  readonly ended: readonly EndedTask[];
}

/**
 * Output of `squeue -h -r -t all -o SQUEUE_FORMAT`: one line per array task, or per job. Lines of the other shape are
 * not ours.
 */
export function parseSqueue(text: string, shape: Shape = 'array'): QueueListing {
  const live: LiveTask[] = [];
  const ended: EndedTask[] = [];
  for (const line of lines(text)) {
    const [jobId = '', index = '', name = '', state = '', node = '', ...reasonParts] = line.split('|');
    if (shape === 'array' ? !/^\d+$/.test(index) : index !== 'N/A') continue;
    const task = shape === 'array' ? Number(index) : ALL_TASKS;
    const end = ENDED.get(state);
    if (end) ended.push({ name, jobId, task, state: end, exitCode: null, node });
    else if (PENDING.has(state)) live.push({ name, jobId, task, state: 'pending', reason: reasonParts.join('|') });
    else live.push({ name, jobId, task, state: 'running', reason: '' });
  }
  return { live, ended };
}

/**
 * Output of `sacct -X -D -n -P -o SACCT_FORMAT`. Only ends are taken: a live state in accounting can be a job that the
 * controller lost long ago. `JobID` is `503_7`; the row of tasks still pending, `503_[8-39%4]`, says nothing.
 */
export function parseSacct(text: string, shape: Shape = 'array'): readonly EndedTask[] {
  return lines(text).flatMap((line) => {
    const [id = '', name = '', state = '', exit = '', node = ''] = line.split('|');
    const [, jobId, index = ALL_TASKS] = (shape === 'array' ? /^(\d+)_(\d+)$/ : /^(\d+)$/).exec(id) ?? [];
    // "CANCELLED by 1000": the first word is the state.
    const end = ENDED.get(state.split(' ')[0] ?? '');
    if (jobId === undefined || end === undefined) return [];
    return [{ name, jobId, task: Number(index), state: end, exitCode: parseExitCode(exit), node: nodeName(node) }];
  });
}

/** The same listing, as core-seconds per job name. */
export function parseSacctUsage(text: string): ReadonlyMap<string, number> {
  const usage = new Map<string, number>();
  for (const line of lines(text)) {
    const [, name = '', , , , cpuTimeRaw = '0'] = line.split('|');
    usage.set(name, (usage.get(name) ?? 0) + Number(cpuTimeRaw));
  }
  return usage;
}

/** Refusals that the same request will meet again. From trials with 22.05.8; the texts come from Slurm's slurm_errno. */
const PERMANENT =
  /Invalid (partition|account|qos|wckey|node name|feature|generic resource|job array|time limit|license|constraint)|time limit is invalid|More processors requested than permitted|Requested (node configuration|partition configuration|time limit|node count)|memory specification (can not|cannot) be satisfied|Pathname of a file, directory or other parameter too long|User's group not permitted|not permitted to use this partition|[Uu]nrecognized option|[Ii]nvalid option|Unable to open file|Access\/permission denied/;

/** Nothing was created, and it may be accepted later. */
const NOT_NOW =
  /Unable to contact slurm controller \(connect failure\)|AssocMaxSubmitJobLimit|QOSMaxSubmitJobPerUserLimit|Job violates accounting\/QOS policy|Resource temporarily unavailable/;

/** The sentence in which sbatch says that an answer was lost on the way; the job often exists. */
const AMBIGUOUS = /[Tt]imed out|Zero Bytes|Unexpected message|Transport endpoint|Connection reset/;

/** @param status null when sbatch was killed or could not be waited for. */
export function parseSbatch(status: number | null, stdout: string, stderr: string): SubmitOutcome {
  const reason = stderr.trim().split('\n').slice(-3).join(' ').slice(0, 1000);
  // `--parsable` prints "1580" or, with a cluster, "1580;lab".
  const jobId = /^(\d+)(;\S+)?\s*$/m.exec(stdout)?.[1];
  if (status === 0 && jobId !== undefined) return { kind: 'submitted', jobId };
  if (status === null || status === 0 || AMBIGUOUS.test(stderr)) return { kind: 'unknown', reason };
  if (NOT_NOW.test(stderr)) return { kind: 'rejected', permanent: false, reason };
  if (PERMANENT.test(stderr)) return { kind: 'rejected', permanent: true, reason };
  return { kind: 'unknown', reason };
}

/** "2:0" is exit code 2, "0:9" is signal 9. Slurm reduces codes over 128 by 128 and calls them signals. */
function parseExitCode(text: string): number | null {
  const [, code, signal] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (code === undefined || signal === undefined) return null;
  return signal === '0' ? Number(code) : 128 + Number(signal);
}

function nodeName(text: string): string {
  return text === 'None assigned' ? '' : text;
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
