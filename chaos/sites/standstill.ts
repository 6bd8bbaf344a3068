import { existsSync } from 'node:fs';
import { Journal } from '#adapters/journal.ts';
import type { JobMessage } from '#core/job.ts';
import { readSiteLease } from '#core/site-lease.ts';
import { run as runProgram } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import type { FolderTable } from '#test/bridge-agent/folder-table.ts';
import { type TestSite, until } from '#test/bridge-agent/site.ts';

/** What is told of each work's story. */
const LAST_EVENTS = 12;

/** A round, and who takes part in it. */
export interface Scene {
  readonly number: number;
  readonly cluster: SlurmHandle;
  readonly sites: readonly TestSite[];
  readonly leases: FolderTable;
  readonly works: readonly JobMessage[];
}

/** @throws {Error} with all that tells why the condition did not come true in time. */
export async function untilOrTell(
  what: string,
  condition: () => boolean,
  seconds: number,
  scene: Scene,
): Promise<void> {
  try {
    await until(what, condition, seconds);
  } catch (error) {
    throw new Error(`round ${scene.number}: ${error}\n${await describeStandstill(scene)}`);
  }
}

/** All that tells why nothing goes on: the scheduler's view, the queue, the leases, and each site's open works with their last events. */
async function describeStandstill({ cluster, sites, leases, works }: Scene): Promise<string> {
  const env = { ...process.env, SLURM_CONF: cluster.confPath };
  const ask = (program: string, ...args: string[]) =>
    runProgram([program, ...args], { env }).catch((error: unknown) => `${program}: ${error}`);
  const lines = [
    await ask('sinfo', '-N', '-o', '%N %T %E'),
    await ask('squeue', '-o', '%i %j %T %r %N'),
    `messages in the queue: ${sites[0]?.cloud.queued()}`,
  ];
  if (leases.isFree()) {
    for (const { workKey } of works) lines.push(`${workKey} ${JSON.stringify(await readSiteLease(leases, workKey))}`);
  } else lines.push('somebody keeps the lock of the lease table');
  for (const { configuration } of sites) {
    if (existsSync(configuration.journal))
      lines.push(...Journal.read(configuration.journal, (journal) => story(journal, configuration.site)));
  }
  return lines.join('\n');
}

function story(journal: Journal, site: string): readonly string[] {
  return journal.openWorks().flatMap((work) => [
    `${site}: ${work.work_key} ${work.state}, ${work.tries} tries, not before ${new Date(work.not_before).toISOString()}`,
    ...journal
      .tasks(work)
      .map(
        ({ task, state, name, losses, free_losses }) =>
          `  task ${task}: ${state} ${name}, ${losses} + ${free_losses} losses`,
      ),
    ...journal.submissions(work).map(({ name, state, job_id }) => `  ${name}: ${state} ${job_id}`),
    ...journal
      .events(work.work_key)
      .slice(-LAST_EVENTS)
      .map((event) => `  ${JSON.stringify(event)}`),
  ]);
}
