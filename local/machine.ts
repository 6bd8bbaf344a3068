import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { contextFileSchema, writeContext } from '#cli/context.ts';
import { cloudEnvironment, cloudStatus, type Log, resetCloud, stopCloud } from '#local/cloud.ts';
import { startDeployedCloud } from '#local/cloud-deploy.ts';
import { run } from '#local/process.ts';
import { ensureRailEnvironment, type RailEnvironment } from '#local/rail-environment.ts';
import { type SlurmSite, siteFiles, siteStatus, startSite, stopSite } from '#local/site.ts';

export interface MachineOptions {
  readonly home: string;
  readonly log: Log;
  /** `auto`: Slurm where a controller answers, else the built-in scheduler. */
  readonly scheduler?: 'auto' | 'local' | SlurmSite;
  /** Where Python environments live, when not below `home`; for tests with a home of their own. */
  readonly pythonHome?: string;
}

export interface Machine {
  readonly url: string;
  readonly scheduler: string;
  readonly rail: RailEnvironment;
}

/** Everything that one machine needs: the local cloud with the stack deployed to it, RAIL, and an agent. */
export async function localUp(options: MachineOptions): Promise<Machine> {
  const { home, log, scheduler = 'auto', pythonHome = home } = options;
  // Side by side: one waits for packages, the other for the CDK. Both are waited for, so that a failure of one
  // leaves no half-started other behind.
  const [cloud, worker] = await Promise.allSettled([
    startAndDeploy({ home, log, pythonHome }),
    ensureRailEnvironment({ home: pythonHome, log }),
  ]);
  if (cloud.status === 'rejected') throw cloud.reason;
  if (worker.status === 'rejected') throw worker.reason;
  const { handle, outputs } = cloud.value;
  const slurm = scheduler === 'auto' ? await findSlurm() : scheduler === 'local' ? null : scheduler;
  await startSite({ home, handle, outputs, rail: worker.value, slurm, log });
  return { url: handle.url, scheduler: slurm ? 'Slurm' : 'the built-in scheduler', rail: worker.value };
}

type Deployment = Required<Pick<MachineOptions, 'home' | 'log' | 'pythonHome'>>;

/** Roles are enforced, so what a function or the agent may not do fails here as it would on AWS. */
async function startAndDeploy({ home, log, pythonHome }: Deployment) {
  const { handle, outputs } = await startDeployedCloud({ home, log, pythonHome, enforceIam: true });
  const environment = Object.fromEntries(
    Object.entries(cloudEnvironment(handle)).filter(([name]) => name.startsWith('AWS_')),
  );
  await writeContext(home, contextFileSchema.parse({ version: 1, outputs, environment }));
  return { handle, outputs };
}

/** The default partition of a Slurm whose controller answers; null without one. */
async function findSlurm(): Promise<SlurmSite | null> {
  const listed = await run(['sinfo', '--noheader', '--format=%P']).catch(() => '');
  const partition = listed
    .split('\n')
    .find((name) => name.endsWith('*'))
    ?.slice(0, -1);
  if (!partition) return null;
  const accounting = await run(['sacct', '--noheader', '--parsable2', '-X']).then(
    () => true,
    () => false,
  );
  return { partition, accounting };
}

/** Ends the agent, its jobs and the cloud; their state stays. */
export async function localDown({ home, log }: Pick<MachineOptions, 'home' | 'log'>): Promise<void> {
  await stopSite({ home, log });
  await stopCloud({ home, log });
}

/** Ends everything and forgets it, except the installed packages. */
export async function localReset({ home, log }: Pick<MachineOptions, 'home' | 'log'>): Promise<void> {
  await stopSite({ home, log });
  await resetCloud({ home, log });
  for (const path of [
    siteFiles(home).folder,
    join(home, 'context.json'),
    join(home, 'demo'),
    join(home, 'deliveries'),
  ]) {
    await rm(path, { recursive: true, force: true });
  }
}

export async function localStatus({ home }: Pick<MachineOptions, 'home'>) {
  return { cloud: await cloudStatus({ home }), agent: await siteStatus(home) };
}
