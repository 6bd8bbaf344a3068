import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { DoctorParts } from '#bridge-agent/doctor.ts';
import type { ArrayRequest } from '#core/scheduler.ts';

/** How long the job may wait in the queue and run; a partition for tests answers within a minute. */
const PATIENCE_SECONDS = 600;
const LOOK_SECONDS = 1;

/** Looks between the scheduler's last word on the job and the file's arrival on this host. */
const LOOKS_AFTER_END = 20;

const seenSchema = z.object({
  node: z.string(),
  python: z.string(),
  importSeconds: z.number(),
  seconds: z.number(),
  /** Objects of a made-up part that the worker estimated; null for a worker that has no rehearsal. */
  rows: z.number().nullable(),
  error: z.string().nullable(),
});

function requestIn(folder: string, { worker, jobFolder, limits, site }: AgentConfiguration): ArrayRequest {
  return {
    // The folder's random end keeps it apart from an earlier one.
    name: `ponte-doctor-${basename(folder)}`,
    comment: `ponte agent doctor of ${site}`,
    tasks: [0],
    command: [worker.python, '-I', join(jobFolder, 'doctor.py'), folder, worker.folder, worker.module],
    logFolder: folder,
    cpusPerTask: limits.cpusPerTask,
    memoryMb: limits.memoryMb,
    timeLimitMinutes: limits.timeLimitMinutes,
  };
}

/** The scheduler's own dry run of a job as the agent submits them. @throws {Error} with its refusal. */
export async function askScheduler(
  configuration: AgentConfiguration,
  { scheduler }: Pick<DoctorParts, 'scheduler'>,
): Promise<string> {
  const answer = await scheduler.dryRun(requestIn(configuration.scratch, configuration));
  if (!answer.accepted) throw new Error(answer.reason);
  const { cpusPerTask, memoryMb, timeLimitMinutes } = configuration.limits;
  return `it would take ${cpusPerTask} cores, ${memoryMb} MB, ${timeLimitMinutes} minutes`;
}

/** A real job on a node, which has the worker estimate a made-up part on scratch. Leaves neither job nor folder. */
export async function runOneJob(
  configuration: AgentConfiguration,
  { scheduler, clock }: Pick<DoctorParts, 'scheduler' | 'clock'>,
  patienceSeconds: number = PATIENCE_SECONDS,
): Promise<string> {
  const folder = mkdtempSync(join(configuration.scratch, 'doctor-'));
  const request = requestIn(folder, configuration);
  const since = clock.now();
  try {
    const submitted = await scheduler.submit(request);
    if (submitted.kind !== 'submitted') throw new Error(`the submission is ${submitted.kind}: ${submitted.reason}`);
    const seen = join(folder, 'seen.json');
    let afterEnd = 0;
    for (let second = 0; !existsSync(seen); second += LOOK_SECONDS) {
      const look = await scheduler.observe([request.name], since);
      if (look.kind === 'seen' && look.live.length === 0 && look.ended.length > 0) afterEnd += 1;
      if (afterEnd > LOOKS_AFTER_END) throw new Error(`the job ended without writing to scratch${lastWords(folder)}`);
      if (second > patienceSeconds) {
        const why = look.kind === 'seen' ? (look.live[0]?.reason ?? '') : look.reason;
        throw new Error(`the job did not run within ${patienceSeconds} s (${why || 'no reason given'})`);
      }
      await sleep(LOOK_SECONDS * 1000);
    }
    const found = seenSchema.parse(JSON.parse(readFileSync(seen, 'utf8')));
    const { node, python, importSeconds, seconds, rows, error } = found;
    if (error !== null) throw new Error(`on ${node}: ${error}`);
    const estimated =
      rows === null ? '' : `, and a part of ${rows} objects was trained for and estimated in ${seconds} s`;
    return `ran on ${node} with Python ${python}; the environment came up in ${importSeconds} s${estimated}`;
  } finally {
    await scheduler.cancel(request.name).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the job printed, as far as it may help. */
function lastWords(folder: string): string {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
  const text = logs.map((name) => readFileSync(join(folder, name), 'utf8').trim()).join('\n');
  return text === '' ? '' : `; it said: ${text.slice(-500)}`;
}
