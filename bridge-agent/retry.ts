import type { Task, TaskUnit, Work } from '#adapters/journal-rows.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { readRecord, TASK_LOST } from '#bridge-agent/records.ts';
import type { ExitRecord } from '#core/job.ts';

/** A scheduler's MaxArraySize is 1001 by default, and it bounds the index, not the count. */
const LARGEST_INDEX = 999;

/** Ends a task all of whose units are recorded; units that deserve another try become a new task. */
export function finishTask(work: Work, task: Task, context: AgentContext): void {
  const { journal, scratch, configuration } = context;
  const { limits } = configuration;
  const folder = scratch.folder(work);
  const judged = task.units.map((unit) => ({ unit, record: readRecord(folder, work.work_key, unit) }));
  const again = judged.filter(({ unit, record }) => deservesAnotherTry(unit, record, limits.attempts));
  const next = Math.max(...journal.tasks(work).map((one) => one.task)) + 1;
  const retry = again.length > 0 && next <= LARGEST_INDEX;
  const failed = judged.filter(({ record }) => record.outcome === 'failed').length;
  const detail = { task: task.task, units: judged.length, failed, again: retry ? again.length : 0 };
  journal.transition(work.work_key, 'Task:Ended', detail, () => {
    journal.saveTask({ ...task, state: 'ended' });
    if (!retry) return;
    const cause = again.some(({ record }) => /MEMORY/.test(record.error?.code ?? '')) ? 'out-of-memory' : 'failed';
    journal.addTasks(work, [
      {
        task: next,
        units: again.map(({ unit }) => ({ ...unit, attempt: unit.attempt + 1 })),
        ...resources(task, cause, limits),
      },
    ]);
  });
}

/** Infrastructure may be better next time; science will not. */
function deservesAnotherTry(unit: TaskUnit, record: ExitRecord, attempts: number): boolean {
  if (record.error === null || record.error.kind === 'science' || record.error.code === TASK_LOST) return false;
  return unit.attempt < attempts;
}

/** What the next try gets: one and a half times of what ran out, up to what the site's configuration allows. */
export function resources(
  task: Pick<Task, 'memory_mb' | 'minutes'>,
  cause: string,
  limits: AgentConfiguration['limits'],
): Pick<Task, 'memory_mb' | 'minutes'> {
  const raised = (value: number, limit: number) => Math.max(value, Math.min(Math.ceil(value * 1.5), limit));
  return {
    memory_mb: cause === 'out-of-memory' ? raised(task.memory_mb, limits.maxMemoryMb) : task.memory_mb,
    minutes: cause === 'timeout' ? raised(task.minutes, limits.maxTimeLimitMinutes) : task.minutes,
  };
}
