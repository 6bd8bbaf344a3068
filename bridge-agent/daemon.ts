import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Journal } from '#adapters/journal.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { AgentContext, AgentParts } from '#bridge-agent/context.ts';
import { DrainRequest } from '#bridge-agent/drain.ts';
import { runIntake } from '#bridge-agent/intake-loop.ts';
import { Scratch } from '#bridge-agent/scratch.ts';
import { SiteLeases } from '#bridge-agent/site-leases.ts';
import { sharedInputs } from '#bridge-agent/staging.ts';
import { WorkLoop } from '#bridge-agent/work-loop.ts';
import { isDigest } from '#core/digest.ts';

/** A model, training set or ancillary file that no work used for so long leaves the cache; LIneA cleans its scratch weekly. */
const CACHE_MILLISECONDS = 7 * 24 * 3600 * 1000;

/**
 * The agent with its outside given: takes work in, brings it on, answers, until `signal` fires or it has drained:
 * because the configuration says so, `drain` fires, or `ponte agent drain` asks.
 * @throws {InputError} `JOURNAL_LOCKED` when another agent uses the same journal.
 */
export async function runAgentWith(
  parts: AgentParts,
  configuration: AgentConfiguration,
  signal: AbortSignal,
  drain: AbortSignal = new AbortController().signal,
): Promise<void> {
  const { clock, log, faultPoint, scheduler } = parts;
  const journal = new Journal({
    path: configuration.journal,
    clock,
    ...(faultPoint === undefined ? {} : { faultPoint }),
    onEvent: (workKey, event, detail) => log.info({ workKey, ...detail }, event),
  });
  const scratch = new Scratch(configuration.scratch);
  const failure = new AbortController();
  const asked = new AbortController();
  if (configuration.drain) asked.abort();
  const request = new DrainRequest(configuration, () => asked.abort());
  const context: AgentContext = {
    ...parts,
    configuration,
    journal,
    scratch,
    leases: new SiteLeases({
      table: parts.leaseTable,
      site: configuration.site,
      seconds: configuration.intervals.leaseSeconds,
      scratch,
    }),
    signal: AbortSignal.any([signal, failure.signal]),
    draining: AbortSignal.any([drain, asked.signal]),
    signsOfLife: new Map(),
  };
  try {
    await recover(context);
    log.info({ scheduler: configuration.scheduler.kind, drain: configuration.drain }, 'Agent:Started');
    const loop = new WorkLoop(context);
    const intake = runIntake(context, () => loop.nudge()).finally(() => loop.endIntake());
    const ends = [loop.run(), intake].map((end) =>
      end.catch((error: unknown) => {
        failure.abort();
        throw error;
      }),
    );
    // Both, so that neither goes on with a journal that is closed; then whichever failed first.
    await Promise.allSettled(ends);
    await Promise.all(ends);
    log.info({ open: journal.openWorks().length }, 'Agent:Stopped');
  } finally {
    await scheduler.close();
    journal.close();
    request.close();
  }
}

/** What a kill may have left: submissions without an answer, folders of finished works, an old cache. */
async function recover({ journal, scratch, clock }: AgentContext): Promise<void> {
  const doubtful = journal.doubtSubmissions();
  if (doubtful.length > 0) journal.transition(null, 'Agent:Doubts', { submissions: doubtful.length }, () => {});
  const works = join(scratch.root, 'work');
  await mkdir(works, { recursive: true });
  await mkdir(scratch.cacheFolder, { recursive: true });
  // Jobs run as the agent's user; nobody else on the cluster need read models, or put something in their place.
  for (const folder of [works, scratch.cacheFolder]) await chmod(folder, 0o700);
  for (const name of await readdir(works)) {
    if (!isDigest(name)) continue;
    const state = journal.work(name)?.state;
    const isOver = state === 'done' || state === 'failed' || state === 'cancelled';
    if (isOver) await rm(join(works, name), { recursive: true, force: true });
  }
  const inUse = new Set(
    journal.openWorks().flatMap(({ message }) => sharedInputs(message).map((ref) => scratch.cached(ref))),
  );
  for (const name of await readdir(scratch.cacheFolder)) {
    const path = join(scratch.cacheFolder, name);
    if (inUse.has(path)) continue;
    const unusedFor = clock.now().getTime() - (await stat(path)).mtimeMs;
    if (unusedFor > CACHE_MILLISECONDS) await rm(path);
  }
}
