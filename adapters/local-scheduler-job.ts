import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isAlive, type ProcessIdentity, parseProcessIdentity, sessionMembers } from '#adapters/linux-process.ts';
import type { ArrayRequest } from '#core/scheduler.ts';

const requestSchema = z.object({
  jobId: z.string(),
  request: z.object({
    name: z.string(),
    comment: z.string(),
    tasks: z.tuple([z.int()], z.int()),
    command: z.tuple([z.string()], z.string()),
    logFolder: z.string(),
    cpusPerTask: z.number(),
    memoryMb: z.number(),
    timeLimitMinutes: z.number(),
  }),
});

export type LocalTaskState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'running'; readonly leader: ProcessIdentity; readonly startedAt: number }
  | { readonly kind: 'ended'; readonly how: 'exited'; readonly exitCode: number }
  | { readonly kind: 'ended'; readonly how: 'cancelled' | 'timeout' | 'vanished' };

export type Mark = 'cancelled' | 'timeout';

/**
 * The books of one submission on disk. They outlive the agent: `request.json` is linked once, the tasks write their own
 * start and end (bridge-agent/job/local-task.sh), and marks tell why one was ended by us.
 */
export class LocalJob {
  readonly jobId: string;
  readonly request: ArrayRequest;
  readonly #folder: string;

  private constructor(folder: string, jobId: string, request: ArrayRequest) {
    this.#folder = folder;
    this.jobId = jobId;
    this.request = request;
  }

  /** Creates the books, or opens them when the name was submitted before. */
  static create(folder: string, jobId: string, request: ArrayRequest): LocalJob {
    mkdirSync(folder, { recursive: true });
    const draft = join(folder, `request.${process.pid}.tmp`);
    writeDurably(draft, JSON.stringify({ jobId, request }));
    try {
      linkSync(draft, join(folder, 'request.json'));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    return LocalJob.open(folder) ?? new LocalJob(folder, jobId, request);
  }

  /** Null when a kill came before the books were linked: then nothing was submitted. */
  static open(folder: string): LocalJob | null {
    const path = join(folder, 'request.json');
    if (!existsSync(path)) return null;
    const { jobId, request } = requestSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return new LocalJob(folder, jobId, request);
  }

  /** What the launcher of a task gets as its state prefix. */
  prefix(task: number): string {
    return join(this.#folder, String(task));
  }

  mark(task: number, mark: Mark): void {
    writeFileSync(`${this.prefix(task)}.${mark}`, '');
  }

  state(task: number): LocalTaskState {
    const prefix = this.prefix(task);
    const ended = this.#readEnd(prefix);
    if (ended) return ended;
    const marked = this.#readMark(prefix);
    if (!existsSync(`${prefix}.start`)) return marked ? { kind: 'ended', how: marked } : { kind: 'pending' };
    const leader = parseProcessIdentity(readFileSync(`${prefix}.start`, 'utf8'));
    // A leader that was killed may leave its task behind: as long as its session has members the task lives.
    if (leader && (isAlive(leader) || sessionMembers(leader).length > 0)) {
      return { kind: 'running', leader, startedAt: statSync(`${prefix}.start`).mtimeMs };
    }
    // The end may have been written between the two looks.
    return this.#readEnd(prefix) ?? { kind: 'ended', how: marked ?? 'vanished' };
  }

  /** Forgets a job all of whose tasks have ended and that was submitted longer ago than that. */
  removeIfOld(ageMilliseconds: number): boolean {
    if (Date.now() - statSync(join(this.#folder, 'request.json')).mtimeMs < ageMilliseconds) return false;
    if (this.request.tasks.some((task) => this.state(task).kind !== 'ended')) return false;
    rmSync(this.#folder, { recursive: true });
    return true;
  }

  #readEnd(prefix: string): LocalTaskState | null {
    if (!existsSync(`${prefix}.end`)) return null;
    const marked = this.#readMark(prefix);
    if (marked) return { kind: 'ended', how: marked };
    return { kind: 'ended', how: 'exited', exitCode: Number(readFileSync(`${prefix}.end`, 'utf8')) };
  }

  #readMark(prefix: string): Mark | null {
    if (existsSync(`${prefix}.timeout`)) return 'timeout';
    return existsSync(`${prefix}.cancelled`) ? 'cancelled' : null;
  }
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
