import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import {
  parseSacct,
  parseSacctUsage,
  parseSbatch,
  parseSqueue,
  SACCT_FORMAT,
  type Shape,
  SQUEUE_FORMAT,
} from '#adapters/slurm-output.ts';
import { TransientError } from '#core/errors.ts';
import {
  ALL_TASKS,
  type ArrayRequest,
  arraySpecification,
  type DryRun,
  type EndedTask,
  type LiveTask,
  type Observation,
  type Scheduler,
  type SubmitOutcome,
  type Usage,
} from '#core/scheduler.ts';

export interface SlurmOptions {
  readonly partition: string;
  readonly account?: string | undefined;
  readonly qos?: string | undefined;
  /** Absolute path of bridge-agent/job, which holds the batch scripts. */
  readonly jobFolder: string;
  /** One array task each, or one large allocation in which workers share the tasks. */
  readonly shape?: Shape | undefined;
  /** Of an allocation: how many workers it holds at most. */
  readonly workersPerAllocation?: number | undefined;
  /** Where slurm.conf is when it is not where the commands look by themselves. */
  readonly slurmConf?: string | undefined;
  /** Whether to ask sacct; without it an end is seen only while squeue still lists it (MinJobAge). */
  readonly accounting: boolean;
  /** Tasks of one array that may run at the same time; no limit of ours when left out. */
  readonly maxRunningPerArray?: number | undefined;
}

/** sbatch sleeps and retries for 120 s on a full queue; ended earlier it would leave us not knowing. */
const SUBMIT_TIMEOUT_MILLISECONDS = 180_000;

/** Over the 10 s of Slurm's MessageTimeout, with its one retry. */
const QUERY_TIMEOUT_MILLISECONDS = 40_000;

/** A listing of 10,500 tasks is about 1 MB. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

interface Finished {
  /** Null when it was ended by a signal, a time-out for instance. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Slurm by its command line: the one interface that is stable over versions and that no site has to grant first. */
export class SlurmScheduler implements Scheduler {
  readonly #options: SlurmOptions;
  readonly #user = userInfo().username;

  constructor(options: SlurmOptions) {
    this.#options = options;
  }

  async submit(request: ArrayRequest): Promise<SubmitOutcome> {
    const { status, stdout, stderr } = await this.#run('sbatch', this.#arguments(request), SUBMIT_TIMEOUT_MILLISECONDS);
    return parseSbatch(status, stdout, stderr);
  }

  async dryRun(request: ArrayRequest): Promise<DryRun> {
    const { status, stderr } = await this.#run('sbatch', ['--test-only', ...this.#arguments(request)]);
    return status === 0 ? { accepted: true } : { accepted: false, reason: stderr.trim() };
  }

  async observe(names: readonly string[], since: Date): Promise<Observation> {
    if (names.length === 0) return { kind: 'seen', live: [], ended: [] };
    // Accounting first: what ends between the two looks is then missing from both and is seen at the next one.
    const accounting = await this.#accounting(names, since);
    const args = ['-h', '-r', '-t', 'all', `--name=${names.join(',')}`, `--user=${this.#user}`, '-o', SQUEUE_FORMAT];
    const queue = await this.#run('squeue', args);
    if (queue.status !== 0) return { kind: 'failed', reason: queue.stderr.trim() || 'squeue did not answer' };
    const { live, ended } = parseSqueue(queue.stdout, this.#options.shape);
    const accounted = parseSacct(accounting ?? '', this.#options.shape);
    const known = new Set(accounted.map(taskId));
    // Where both know of an end, accounting also knows the exit code.
    return { kind: 'seen', live, ended: [...ended.filter((end) => !known.has(taskId(end))), ...accounted] };
  }

  async cancel(name: string): Promise<void> {
    await this.#mustRun('scancel', [`--name=${name}`, `--user=${this.#user}`]);
  }

  async cancelTask({ jobId, task, name }: LiveTask): Promise<void> {
    // With the name as a filter too, because Slurm gives a lost job's id to the next one.
    await this.#mustRun('scancel', [`--name=${name}`, slurmId(jobId, task)]);
  }

  async release({ jobId, task }: LiveTask): Promise<void> {
    await this.#mustRun('scontrol', ['release', slurmId(jobId, task)]);
  }

  async usage(names: readonly string[], since: Date): Promise<readonly Usage[] | null> {
    const text = await this.#accounting(names, since);
    if (text === null) return null;
    return [...parseSacctUsage(text)].map(([name, coreSeconds]) => ({ name, coreSeconds }));
  }

  async close(): Promise<void> {}

  #arguments(request: ArrayRequest): string[] {
    const { partition, account, qos } = this.#options;
    return [
      '--parsable',
      `--job-name=${request.name}`,
      `--comment=${request.comment}`,
      `--partition=${partition}`,
      ...(account === undefined ? [] : [`--account=${account}`]),
      ...(qos === undefined ? [] : [`--qos=${qos}`]),
      // NIL: nothing of our environment reaches the job or slurmctld's disk; NONE would run the user's login files.
      '--export=NIL',
      '--requeue',
      '--kill-on-invalid-dep=yes',
      // No early `--signal`: a task that heeds it ends as FAILED, not as TIMEOUT, and would not get more time. At the limit
      // Slurm sends SIGTERM anyway, KillWait before SIGKILL.
      `--cpus-per-task=${request.cpusPerTask}`,
      `--time=${request.timeLimitMinutes}`,
      ...(request.excludedNodes?.length ? [`--exclude=${request.excludedNodes.join(',')}`] : []),
      `--chdir=${request.logFolder}`,
      '--open-mode=append',
      ...(this.#options.shape === 'allocation' ? this.#allocation(request) : this.#array(request)),
    ];
  }

  #array({ tasks, memoryMb, logFolder, command }: ArrayRequest): string[] {
    const { maxRunningPerArray, jobFolder } = this.#options;
    const throttle = maxRunningPerArray === undefined ? '' : `%${maxRunningPerArray}`;
    return [
      `--array=${arraySpecification(tasks)}${throttle}`,
      `--mem=${memoryMb}M`,
      `--output=${logFolder}/%x_%a.log`,
      `${jobFolder}/array-task.sh`,
      ...command,
    ];
  }

  #allocation({ name, tasks, memoryMb, cpusPerTask, logFolder, command }: ArrayRequest): string[] {
    const { workersPerAllocation = tasks.length, jobFolder } = this.#options;
    return [
      `--ntasks=${Math.min(tasks.length, workersPerAllocation)}`,
      `--mem-per-cpu=${Math.ceil(memoryMb / cpusPerTask)}M`,
      `--output=${logFolder}/${name}_pool.log`,
      `${jobFolder}/pool.sh`,
      `${jobFolder}/pool-worker.sh`,
      logFolder,
      `${logFolder}/${name}_`,
      tasks.join(','),
      ...command,
    ];
  }

  /** Null when there is no accounting, or it does not answer: it is evidence we can do without. */
  async #accounting(names: readonly string[], since: Date): Promise<string | null> {
    if (!this.#options.accounting || names.length === 0) return null;
    const start = `now-${Math.ceil((Date.now() - since.getTime()) / 60_000) + 60}minutes`;
    const args = ['-X', '-D', '-n', '-P', '-S', start, `--name=${names.join(',')}`, '-o', SACCT_FORMAT];
    const { status, stdout } = await this.#run('sacct', args);
    return status === 0 ? stdout : null;
  }

  async #mustRun(program: string, args: readonly string[]): Promise<void> {
    const { status, stderr } = await this.#run(program, args);
    if (status === 0) return;
    throw new TransientError(`${program} ${args.join(' ')} failed: ${stderr.trim()}`, {
      code: 'SCHEDULER_COMMAND_FAILED',
      hint: 'Run the command by hand as the agent’s user; the agent tries again at its next look.',
    });
  }

  #run(program: string, args: readonly string[], timeout = QUERY_TIMEOUT_MILLISECONDS): Promise<Finished> {
    const { slurmConf } = this.#options;
    const env = { PATH: process.env.PATH, LANG: 'C', ...(slurmConf === undefined ? {} : { SLURM_CONF: slurmConf }) };
    return new Promise((resolve) => {
      execFile(program, args, { env, timeout, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
        if (!error) resolve({ status: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ status: error.code, stdout, stderr });
        else resolve({ status: null, stdout, stderr: stderr || error.message });
      });
    });
  }
}

function slurmId(jobId: string, task: number): string {
  return task === ALL_TASKS ? jobId : `${jobId}_${task}`;
}

function taskId({ name, jobId, task }: EndedTask): string {
  return `${name} ${jobId} ${task}`;
}
