import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileDigest } from '#adapters/file-digest.ts';
import type { TaskUnit, Work } from '#adapters/journal-rows.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { spread } from '#bridge-agent/packing.ts';
import { writeJsonDurably } from '#bridge-agent/scratch.ts';
import { InputError } from '#core/errors.ts';
import { type Batch, batchSchema, type JobMessage, type ObjectRef } from '#core/job.ts';
import { type Measurement, sizeTasks } from '#core/sizing.ts';

/** Brings what a work needs to scratch, checked, and divides it into tasks. Every step may be repeated. */
export async function stage(work: Work, context: AgentContext): Promise<void> {
  const { scratch, journal, configuration, leases } = context;
  const { message } = work;
  const folder = scratch.folder(work);
  folder.create();
  for (const ref of sharedInputs(message)) await bring(ref, scratch.cached(ref), work, context);
  const batch = await bringBatch(work, context);
  for (const { skinny } of batch?.parts ?? []) await bring(skinny, folder.input(skinny), work, context);

  const { limits, intervals, worker } = configuration;
  writeJsonDurably(folder.runFile, {
    command: [worker.python, '-m', worker.module],
    // The job starts with an empty environment. Python's libraries want a home for their caches.
    environment: {
      PYTHONPATH: worker.folder,
      HOME: folder.root,
      PYTHONUNBUFFERED: '1',
      PATH: '/usr/local/bin:/usr/bin:/bin',
    },
    heartbeatSeconds: intervals.claimHeartbeatSeconds,
    staleSeconds: intervals.claimStaleSeconds,
    leaseSeconds: leases.jobSeconds,
  });
  const units = unitsOf(message, batch);
  const size = sizeTasks(historyOf(message, context), extent(units), limits);
  const tasks = spread(units, size.tasks).map((share, task) => ({
    task,
    units: share,
    memory_mb: size.memoryMb,
    minutes: size.minutes,
  }));
  journal.transition(work.work_key, 'Job:Staged', { units: batch?.parts.length ?? 1, tasks: tasks.length }, () => {
    // It may have become unwanted while its inputs were on their way.
    if (journal.work(work.work_key)?.state !== 'received') return;
    journal.addTasks(work, tasks);
    journal.setWorkState(work.work_key, 'running');
  });
}

/** More are not read: sizes follow what the algorithm does now. */
const HISTORY = 500;

function historyOf({ algorithm, kind }: JobMessage, { journal }: AgentContext): readonly Measurement[] {
  return journal.history(algorithm, kind, HISTORY).map((row) => ({
    rows: row.rows,
    wallSeconds: row.wall_seconds,
    importSeconds: row.import_seconds,
    peakRssBytes: row.peak_rss_bytes,
    memoryMb: row.memory_mb,
    outcome: row.outcome,
  }));
}

function extent(units: readonly TaskUnit[]) {
  const rows = units.map((unit) => unit.rows);
  return { rows: rows.reduce((sum, one) => sum + one, 0), units: units.length, largestUnitRows: Math.max(...rows) };
}

/** What several works may read, and the cache keeps: a training set, a model, ancillary files. */
export function sharedInputs(message: JobMessage): readonly ObjectRef[] {
  const training = 'training' in message ? [message.training] : [];
  const model = 'model' in message ? [message.model] : [];
  return [...training, ...model, ...message.ancillary];
}

function unitsOf(message: JobMessage, batch: Batch | null): readonly TaskUnit[] {
  if (batch === null) return [{ unitId: message.workKey, rows: 1, attempt: 1 }];
  return batch.parts.map(({ partId, rows }) => ({ unitId: partId, rows, attempt: 1 }));
}

/** The batch document of an `estimate`; null for the other kinds. */
async function bringBatch(work: Work, context: AgentContext): Promise<Batch | null> {
  const { message } = work;
  if (message.kind !== 'estimate') return null;
  const path = context.scratch.folder(work).input(message.batch);
  await bring(message.batch, path, work, context);
  return readBatch(path);
}

/** @throws {InputError} `BATCH_INVALID` */
export async function readBatch(path: string): Promise<Batch> {
  const parsed = batchSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(`the batch document is wrong at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`, {
    code: 'BATCH_INVALID',
    hint: 'The planner that wrote it and this agent are of different versions.',
    cause: parsed.error,
  });
}

/** Downloads unless the very content is there already; under its own name only when its digest was right. */
async function bring(ref: ObjectRef, path: string, { work_key }: Work, context: AgentContext): Promise<void> {
  context.signal.throwIfAborted();
  if (existsSync(path) && (await fileDigest(path)) === ref.sha256) {
    // So that the sweep of the cache sees that it is in use.
    const now = context.clock.now();
    await utimes(path, now, now);
  } else {
    await mkdir(dirname(path), { recursive: true });
    const draft = `${path}.${work_key.slice(0, 16)}.part`;
    await rm(draft, { force: true });
    await context.lake.getFile(ref.key, draft, ref.sha256);
    await rename(draft, path);
  }
  context.signsOfLife.set(work_key, context.clock.now().getTime());
}
