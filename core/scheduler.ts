/** One job array to submit. The scheduler runs `[...command, String(task)]` once per task, in no order. */
export interface ArrayRequest {
  /** The identity of this submission, chosen by us and never reused: a scheduler's own job ids are. */
  readonly name: string;
  /** Shown to the site's operators; nothing is read back from it. */
  readonly comment: string;
  /** Distinct array indices, 0 to 999. */
  readonly tasks: readonly [number, ...number[]];
  readonly command: readonly [string, ...string[]];
  /** Existing folder for the tasks' standard streams: `{name}_{task}.log`. */
  readonly logFolder: string;
  readonly cpusPerTask: number;
  readonly memoryMb: number;
  readonly timeLimitMinutes: number;
  /** Where it shall not run, in the scheduler's names; a scheduler without nodes does not mind. */
  readonly excludedNodes?: readonly string[];
}

/**
 * `unknown` is an answer, not an error: the job may or may not exist, and only looking by name can tell. Submitting
 * again instead is how jobs run twice.
 */
export type SubmitOutcome =
  | { readonly kind: 'submitted'; readonly jobId: string }
  /** No job was created. `permanent`: the same request will be refused again. */
  | { readonly kind: 'rejected'; readonly permanent: boolean; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** In place of a task's index: a job that holds all the tasks of its name, one large allocation. */
export const ALL_TASKS = -1;

/** A task the scheduler holds: waiting, running, or on its way out. */
export interface LiveTask {
  readonly name: string;
  readonly jobId: string;
  /** Its index, or `ALL_TASKS`. */
  readonly task: number;
  readonly state: 'pending' | 'running';
  /** Why it waits, in the scheduler's word; empty when it runs. */
  readonly reason: string;
}

export const END_STATES = [
  'completed',
  'failed',
  'cancelled',
  'timeout',
  'out-of-memory',
  'node-fail',
  'preempted',
] as const;
export type EndState = (typeof END_STATES)[number];

/**
 * A task that the scheduler says has ended. Evidence, never the outcome: Slurm reports exit code 0 for a time-out, and
 * its repair of lost jobs reports COMPLETED for one that never ran.
 */
export interface EndedTask {
  readonly name: string;
  readonly jobId: string;
  readonly task: number;
  readonly state: EndState;
  /** Null when the scheduler does not say, or the task never ran. */
  readonly exitCode: number | null;
  readonly node: string;
}

/** What one look shows. `failed` decides nothing: a controller that does not answer has not lost its jobs. */
export type Observation =
  | { readonly kind: 'seen'; readonly live: readonly LiveTask[]; readonly ended: readonly EndedTask[] }
  | { readonly kind: 'failed'; readonly reason: string };

export type DryRun = { readonly accepted: true } | { readonly accepted: false; readonly reason: string };

/** What the tasks of one name cost the site, as far as its accounting knows. */
export interface Usage {
  readonly name: string;
  readonly coreSeconds: number;
}

/** A batch scheduler, asked by job name only. Every adapter passes test/contracts/scheduler.ts. */
export interface Scheduler {
  submit(request: ArrayRequest): Promise<SubmitOutcome>;
  /** Would it be accepted? Creates nothing. */
  dryRun(request: ArrayRequest): Promise<DryRun>;
  /** One look at everything under these names. @param since lower bound of their submission. */
  observe(names: readonly string[], since: Date): Promise<Observation>;
  /** Asks for the end of all tasks under a name; only a later look proves it. Unknown names are no error. */
  cancel(name: string): Promise<void>;
  cancelTask(task: LiveTask): Promise<void>;
  /** Lets a held task run again. */
  release(task: LiveTask): Promise<void>;
  /** Null when the site keeps no accounts. */
  usage(names: readonly string[], since: Date): Promise<readonly Usage[] | null>;
  /** Stops looking after jobs; the jobs themselves go on. */
  close(): Promise<void>;
}

/**
 * The indices of an array as Slurm writes them: `[0, 1, 2, 5]` becomes `0-2,5`.
 * @param tasks distinct, in any order.
 */
export function arraySpecification(tasks: readonly number[]): string {
  const runs: { first: number; last: number }[] = [];
  for (const task of [...tasks].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && task === run.last + 1) run.last = task;
    else runs.push({ first: task, last: task });
  }
  return runs.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}
