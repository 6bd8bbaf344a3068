import { join } from 'node:path';
import type { Task, Work } from '#adapters/journal-rows.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { failWork } from '#bridge-agent/report.ts';
import { writeJsonDurably } from '#bridge-agent/scratch.ts';
import { readBatch } from '#bridge-agent/staging.ts';
import type { Batch, JobMessage, WorkerTask } from '#core/job.ts';
import type { ArrayRequest, SubmitOutcome } from '#core/scheduler.ts';

/** Before a request that the scheduler refused for now is made again. */
const REFUSED_MILLISECONDS = 60_000;

/**
 * The name of a submission: ours, unique for ever, found again in queue and accounting. 16 digits of the key suffice
 * among one site's jobs, and keep the name inside what squeue prints.
 */
function submissionName({ work_key, round }: Work, number: number, { leaseTable, site }: AgentConfiguration): string {
  // Sites that share their work may share a cluster too.
  const whose = leaseTable === undefined ? '' : `-${site}`;
  return `ponte-${work_key.slice(0, 16)}-r${round}-s${number}${whose}`;
}

/** Submits all tasks of a work that wait for it, as one array. The intent is committed before the act. */
export async function submitWaiting(work: Work, context: AgentContext): Promise<void> {
  const { journal, scheduler, faultPoint, leases } = context;
  if (!leases.mayStart(work)) return;
  const waiting = journal.tasks(work).filter((task) => task.state === 'waiting');
  const [first, ...others] = waiting;
  if (first === undefined) return;
  const name = submissionName(work, journal.submissions(work).length + 1, context.configuration);
  await writeTaskFiles(work, waiting, context);
  const indices: [number, ...number[]] = [first.task, ...others.map(({ task }) => task)];
  journal.transition(work.work_key, 'Job:Submitting', { name, tasks: indices }, () => {
    journal.addSubmission(work, name, indices);
    for (const task of waiting) journal.saveTask({ ...task, state: 'active', name });
  });
  const outcome = await scheduler.submit(arrayRequest(work, name, waiting, indices, context));
  faultPoint?.('Scheduler:Answered');
  settle(work, name, waiting, outcome, context);
}

function settle(work: Work, name: string, tasks: readonly Task[], outcome: SubmitOutcome, context: AgentContext): void {
  const { journal } = context;
  switch (outcome.kind) {
    case 'submitted':
      journal.transition(work.work_key, 'Job:Submitted', { name, jobId: outcome.jobId }, () =>
        journal.setSubmission(name, 'submitted', outcome.jobId),
      );
      return;
    case 'unknown':
      journal.transition(work.work_key, 'Job:SubmissionUnknown', { name, reason: outcome.reason }, () =>
        journal.setSubmission(name, 'unknown', null),
      );
      return;
    case 'rejected':
      journal.transition(work.work_key, 'Job:SubmissionRejected', { name, reason: outcome.reason }, () => {
        journal.setSubmission(name, 'rejected', null);
        for (const task of tasks) journal.saveTask({ ...task, state: 'waiting', name: task.name });
        journal.postpone(work.work_key, REFUSED_MILLISECONDS);
      });
      // It answered and will be asked again: that is life.
      context.signsOfLife.set(work.work_key, context.clock.now().getTime());
      if (outcome.permanent && excludedNodes(work, journal).length > 0) {
        // Perhaps nothing was left to run on: the next try may go anywhere.
        journal.transition(work.work_key, 'Job:NodesForgiven', { name }, () => journal.forgetAvoidedNodes(work));
      } else if (outcome.permanent) failWork(work, `the scheduler refuses the job: ${outcome.reason}`, context);
  }
}

function arrayRequest(
  work: Work,
  name: string,
  tasks: readonly Task[],
  indices: [number, ...number[]],
  { configuration, scratch, journal }: AgentContext,
): ArrayRequest {
  const folder = scratch.folder(work);
  return {
    name,
    comment: `${work.message.campaign}/${work.message.algorithm}/${work.message.kind}`,
    tasks: indices,
    // -I: isolated from whatever PYTHONPATH and the like a login file sets.
    command: [configuration.worker.python, '-I', join(configuration.jobFolder, 'job.py'), folder.root],
    logFolder: folder.logFolder,
    cpusPerTask: configuration.limits.cpusPerTask,
    memoryMb: Math.max(...tasks.map((task) => task.memory_mb)),
    timeLimitMinutes: Math.max(...tasks.map((task) => task.minutes)),
    excludedNodes: excludedNodes(work, journal),
  };
}

/** Names as Slurm has them; anything else would be read as a list or a file. */
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** More are hardly one node's fault. */
const MOST_EXCLUDED = 8;

function excludedNodes(work: Work, journal: AgentContext['journal']): readonly string[] {
  return journal
    .avoidedNodes(work)
    .filter((node) => NODE_NAME.test(node))
    .slice(0, MOST_EXCLUDED);
}

async function writeTaskFiles(work: Work, tasks: readonly Task[], context: AgentContext): Promise<void> {
  const folder = context.scratch.folder(work);
  const { message } = work;
  const batch = message.kind === 'estimate' ? await readBatch(folder.input(message.batch)) : null;
  for (const task of tasks) writeJsonDurably(folder.taskFile(task.task), workerTask(work, task, batch, context));
}

function workerTask(work: Work, task: Task, batch: Batch | null, { configuration, scratch }: AgentContext): WorkerTask {
  const { message } = work;
  const folder = scratch.folder(work);
  const cached = (ref: Parameters<typeof scratch.cached>[0]) => ({ path: scratch.cached(ref), sha256: ref.sha256 });
  const parts = new Map(batch?.parts.map((part) => [part.partId, part]));
  return {
    version: 1,
    kind: message.kind,
    workKey: message.workKey,
    algorithm: message.algorithm,
    configurationDigest: message.configurationDigest,
    threads: configuration.limits.cpusPerTask,
    archive: message.kind === 'estimate' && message.archive,
    pdf: message.kind !== 'estimate' || message.pdf,
    bisect: message.kind === 'estimate' && message.bisect,
    training: isTraining(message) ? cached(message.training) : null,
    heldOut: isTraining(message) ? message.heldOut : null,
    model: message.kind === 'inform' ? null : cached(message.model),
    ancillary: message.ancillary.map((file) => ({ name: file.name, ...cached(file) })),
    units: task.units.map(({ unitId, attempt }) => {
      const part = parts.get(unitId);
      return {
        unitId,
        input: part ? { path: folder.input(part.skinny), sha256: part.skinny.sha256, rows: part.rows } : null,
        outputDir: folder.outputFolder(unitId, attempt),
        exitRecord: folder.exitRecord(unitId, attempt),
      };
    }),
  };
}

function isTraining(message: JobMessage): message is JobMessage & { readonly kind: 'inform' | 'validate' } {
  return message.kind !== 'estimate';
}
