import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '#adapters/folder.ts';
import { sessionMembers, signalProcess } from '#adapters/linux-process.ts';
import { LocalJob, type LocalTaskState, type Mark } from '#adapters/local-scheduler-job.ts';
import type {
  ArrayRequest,
  DryRun,
  EndedTask,
  EndState,
  LiveTask,
  Observation,
  Scheduler,
  SubmitOutcome,
} from '#core/scheduler.ts';

export interface LocalSchedulerOptions {
  /** Where its books lie; on a local disk, one folder per submission. */
  readonly stateFolder: string;
  /** Absolute path of bridge-agent/job/local-task.sh. */
  readonly launcher: string;
  /** Tasks that may run at the same time, over all jobs. */
  readonly maxProcesses: number;
}

/** How often it looks whether a task has ended that it did not start itself, or runs too long. */
const PUMP_MILLISECONDS = 250;

/** Between asking a task to end and ending it, as Slurm's KillWait. */
const KILL_WAIT_MILLISECONDS = 30_000;

/** Books of finished jobs stay a week, for a person who looks. */
const KEEP_MILLISECONDS = 7 * 24 * 3600 * 1000;

/** What a task finds in its environment: as little as under Slurm, and nothing of the agent's credentials. */
const TASK_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };

interface Task {
  readonly job: LocalJob;
  readonly index: number;
  /** `starting`: spawned by us, and its own start mark not seen yet. */
  state: LocalTaskState | { readonly kind: 'starting' };
  /** Set when it shall end; `signalledAt` (ms) once it ran and was told. */
  ending: { signalledAt: number | null } | null;
}

/**
 * A small durable scheduler for machines without one: bounded processes on this machine. Tasks are detached and outlive
 * the agent; after a restart it finds by name what runs and what has ended. It looks after time limits; memory limits
 * are the operating system's affair. One instance per state folder: the agent's lock sees to that.
 */
export class LocalScheduler implements Scheduler {
  readonly #options: LocalSchedulerOptions;
  readonly #tasks = new Map<string, Task[]>();
  readonly #timer: NodeJS.Timeout;
  #lastId = 0;

  constructor(options: LocalSchedulerOptions) {
    this.#options = options;
    makeFolder(options.stateFolder);
    const jobs = readdirSync(options.stateFolder)
      .map((name) => LocalJob.open(join(options.stateFolder, name)))
      .filter((job) => job !== null)
      .sort((a, b) => Number(a.jobId) - Number(b.jobId));
    for (const job of jobs) if (!job.removeIfOld(KEEP_MILLISECONDS)) this.#admit(job);
    this.#timer = setInterval(() => this.#pump(), PUMP_MILLISECONDS);
    this.#timer.unref();
    this.#pump();
  }

  async submit(request: ArrayRequest): Promise<SubmitOutcome> {
    const job = LocalJob.create(join(this.#options.stateFolder, request.name), String(this.#lastId + 1), request);
    if (!this.#tasks.has(request.name)) this.#admit(job);
    this.#pump();
    return { kind: 'submitted', jobId: job.jobId };
  }

  async dryRun(): Promise<DryRun> {
    return { accepted: true };
  }

  async observe(names: readonly string[]): Promise<Observation> {
    this.#pump();
    const tasks = names.flatMap((name) => this.#tasks.get(name) ?? []);
    return { kind: 'seen', live: tasks.flatMap(liveTask), ended: tasks.flatMap(endedTask) };
  }

  async cancel(name: string): Promise<void> {
    for (const task of this.#tasks.get(name) ?? []) this.#end(task, 'cancelled');
    this.#pump();
  }

  async cancelTask({ name, task: index }: LiveTask): Promise<void> {
    for (const task of this.#tasks.get(name) ?? []) if (task.index === index) this.#end(task, 'cancelled');
    this.#pump();
  }

  /** Nothing is ever held here. */
  async release(): Promise<void> {}

  /** It keeps no accounts: the exit records do. */
  async usage(): Promise<null> {
    return null;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }

  #admit(job: LocalJob): void {
    this.#lastId = Math.max(this.#lastId, Number(job.jobId));
    const tasks = job.request.tasks.map((index): Task => ({ job, index, state: job.state(index), ending: null }));
    this.#tasks.set(job.request.name, tasks);
  }

  /** One round: see what has changed, end what runs too long, start what there is room for. */
  #pump(): void {
    const open = [...this.#tasks.values()].flat().filter((task) => task.state.kind !== 'ended');
    for (const task of open) this.#refresh(task);
    let room = this.#options.maxProcesses - open.filter(isBusy).length;
    for (const task of open) {
      if (room <= 0) return;
      if (task.state.kind !== 'pending') continue;
      this.#start(task);
      room -= 1;
    }
  }

  #refresh(task: Task): void {
    if (task.state.kind === 'pending') return;
    const state = task.job.state(task.index);
    if (state.kind !== 'pending') task.state = state;
    if (state.kind !== 'running') return;
    const now = Date.now();
    if (now - state.startedAt > task.job.request.timeLimitMinutes * 60_000) this.#end(task, 'timeout');
    if (task.ending === null) return;
    const members = sessionMembers(state.leader);
    const leads = members.includes(state.leader.pid);
    if (now - (task.ending.signalledAt ?? now) > KILL_WAIT_MILLISECONDS) {
      for (const pid of members) signalProcess(pid, 'SIGKILL');
    } else if (!leads) {
      for (const pid of members) signalProcess(pid, 'SIGTERM');
    } else if (task.ending.signalledAt === null) {
      // The leader passes it on, so that the worker hears it once.
      signalProcess(state.leader.pid, 'SIGTERM');
    }
    task.ending.signalledAt ??= now;
  }

  #start(task: Task): void {
    const { command, logFolder, name } = task.job.request;
    const log = openSync(join(logFolder, `${name}_${task.index}.log`), 'a');
    const child = spawn(this.#options.launcher, [task.job.prefix(task.index), ...command, String(task.index)], {
      cwd: logFolder,
      detached: true,
      env: TASK_ENVIRONMENT,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    task.state = { kind: 'starting' };
    const settle = () => {
      task.state = task.job.state(task.index);
      // A launcher that could not even mark its start must not be tried for ever.
      if (task.state.kind === 'pending') task.state = { kind: 'ended', how: 'vanished' };
      this.#pump();
    };
    child.on('error', settle);
    child.on('exit', settle);
    child.unref();
  }

  /** Marks why, for a look after our own restart; the next round of the pump does the rest. */
  #end(task: Task, mark: Mark): void {
    if (task.state.kind === 'ended' || task.ending !== null) return;
    task.job.mark(task.index, mark);
    if (task.state.kind === 'pending') task.state = { kind: 'ended', how: mark };
    else task.ending = { signalledAt: null };
  }
}

function isBusy(task: Task): boolean {
  return task.state.kind === 'running' || task.state.kind === 'starting';
}

function liveTask({ job, index, state }: Task): LiveTask[] {
  if (state.kind === 'ended') return [];
  const waits = state.kind === 'pending';
  const { name } = job.request;
  return [
    { name, jobId: job.jobId, task: index, state: waits ? 'pending' : 'running', reason: waits ? 'Resources' : '' },
  ];
}

function endedTask({ job, index, state }: Task): EndedTask[] {
  if (state.kind !== 'ended') return [];
  const exitCode = state.how === 'exited' ? state.exitCode : null;
  return [{ name: job.request.name, jobId: job.jobId, task: index, state: endState(state), exitCode, node: '' }];
}

function endState(state: LocalTaskState & { readonly kind: 'ended' }): EndState {
  switch (state.how) {
    case 'exited':
      return state.exitCode === 0 ? 'completed' : 'failed';
    case 'vanished':
      return 'node-fail';
    default:
      return state.how;
  }
}
