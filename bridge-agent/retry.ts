import { hostname } from 'node:os';
import type { MeasurementRow, Task, TaskUnit, Work } from '#adapters/journal-rows.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { readRecord, TASK_LOST } from '#bridge-agent/records.ts';
import type { ExitRecord } from '#core/job.ts';
import { raised } from '#core/sizing.ts';

/** A scheduler's MaxArraySize is 1001 by default, and it bounds the index, not the count. */
const LARGEST_INDEX = 999;

type Limits = AgentConfiguration['limits'];

interface Judged {
  readonly unit: TaskUnit;
  readonly record: ExitRecord;
}

/** Ends a task all of whose units are recorded; units that deserve another try become new tasks, apart by cause. */
export function finishTask(work: Work, task: Task, context: AgentContext): void {
  const { journal, scratch, configuration, clock } = context;
  const { limits } = configuration;
  const folder = scratch.folder(work);
  const judged = task.units.map((unit) => ({ unit, record: readRecord(folder, work.work_key, unit) }));
  const again = judged.filter((one) => deservesAnotherTry(one, task, limits));
  const hungry = again.filter(({ record }) => ranOutOfMemory(record));
  const unlucky = again.filter(({ record }) => !ranOutOfMemory(record));
  const groups = [
    { cause: 'out-of-memory', units: hungry },
    { cause: 'failed', units: unlucky },
  ].filter(({ units }) => units.length > 0);
  const next = Math.max(...journal.tasks(work).map((one) => one.task)) + 1;
  const retry = next + groups.length - 1 <= LARGEST_INDEX;
  const failed = judged.filter(({ record }) => record.outcome === 'failed').length;
  const detail = { task: task.task, units: judged.length, failed, again: retry ? again.length : 0 };
  journal.transition(work.work_key, 'Task:Ended', detail, () => {
    journal.saveTask({ ...task, state: 'ended' });
    const at = clock.now().getTime();
    for (const one of judged) journal.addMeasurement(measurementOf(work, task, one, limits.cpusPerTask, at));
    for (const { record } of unlucky) avoidNodeOf(work, record.node, context);
    if (!retry) return;
    const tasks = groups.map(({ cause, units }, index) => ({
      task: next + index,
      units: units.map(({ unit }) => ({ ...unit, attempt: unit.attempt + 1 })),
      ...resources(task, cause, limits),
    }));
    journal.addTasks(work, tasks);
  });
}

/**
 * The next submission of the work goes elsewhere. The host of the agent is never meant: its name stands in records that
 * the agent wrote itself. Called inside a transition.
 */
export function avoidNodeOf(work: Work, node: string, { journal }: AgentContext): void {
  if (node !== '' && node !== hostname()) journal.avoidNode(work, node);
}

/** Infrastructure may be better next time; science will not. What ran out of memory is tried until the cap. */
function deservesAnotherTry({ unit, record }: Judged, task: Task, limits: Limits): boolean {
  if (record.error === null || record.error.kind === 'science' || record.error.code === TASK_LOST) return false;
  if (ranOutOfMemory(record)) return task.memory_mb < limits.maxMemoryMb;
  return unit.attempt < limits.attempts;
}

/** The kernel's way to say it is SIGKILL, which is also what a person sends; then more memory does no harm. */
function ranOutOfMemory({ error }: ExitRecord): boolean {
  if (error === null) return false;
  return /MEMORY/.test(error.code) || (error.code === 'CHILD_KILLED' && error.message.includes('SIGKILL'));
}

/** What the next try gets: twice of what ran out, up to what the site's configuration allows. */
export function resources(
  task: Pick<Task, 'memory_mb' | 'minutes'>,
  cause: string,
  limits: Limits,
): Pick<Task, 'memory_mb' | 'minutes'> {
  const more = (value: number, limit: number) => Math.max(value, Math.min(raised(value), limit));
  return {
    memory_mb: cause === 'out-of-memory' ? more(task.memory_mb, limits.maxMemoryMb) : task.memory_mb,
    minutes: cause === 'timeout' ? more(task.minutes, limits.maxTimeLimitMinutes) : task.minutes,
  };
}

/** The field of the site's configuration that keeps a lost task from getting more; null when there is room or no need. */
export function capReached(task: Pick<Task, 'memory_mb' | 'minutes'>, cause: string, limits: Limits): string | null {
  if (cause === 'out-of-memory' && task.memory_mb >= limits.maxMemoryMb) {
    return `it needs more than limits.maxMemoryMb (${limits.maxMemoryMb} MB) of this site`;
  }
  if (cause === 'timeout' && task.minutes >= limits.maxTimeLimitMinutes) {
    return `it needs longer than limits.maxTimeLimitMinutes (${limits.maxTimeLimitMinutes} min) of this site`;
  }
  return null;
}

/** A record in which a unit says itself that it ran out, at the site's cap, names that cap too; others as they are. */
export function withCap(record: ExitRecord, work: Work, { journal, configuration }: AgentContext): ExitRecord {
  if (record.error === null || !ranOutOfMemory(record)) return record;
  const last = journal.tasks(work).findLast(({ units }) => units.some(({ unitId }) => unitId === record.unitId));
  const cap = last === undefined ? null : capReached(last, 'out-of-memory', configuration.limits);
  if (cap === null) return record;
  return { ...record, error: { ...record.error, message: `${record.error.message}; ${cap}` } };
}

function measurementOf(work: Work, task: Task, { unit, record }: Judged, cpus: number, at: number): MeasurementRow {
  const { campaign, algorithm, kind } = work.message;
  return {
    work_key: work.work_key,
    round: work.round,
    unit_id: unit.unitId,
    attempt: unit.attempt,
    task: task.task,
    campaign,
    algorithm,
    kind,
    at,
    outcome: ranOutOfMemory(record) ? 'out-of-memory' : record.outcome,
    error: record.error === null ? '' : `${record.error.code}: ${record.error.message}`,
    rows: record.rows,
    memory_mb: task.memory_mb,
    cpus,
    wall_seconds: record.seconds.wall,
    import_seconds: record.seconds.import,
    read_seconds: record.seconds.read,
    compute_seconds: record.seconds.compute,
    write_seconds: record.seconds.write,
    cpu_seconds: record.cpuSeconds,
    peak_rss_bytes: record.peakRssBytes,
    read_bytes: record.io?.readBytes ?? 0,
    written_bytes: record.io?.writtenBytes ?? 0,
    node: record.node,
  };
}
