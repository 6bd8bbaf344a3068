import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalScheduler } from '#adapters/local-scheduler.ts';
import { type AgentConfiguration, readAgentConfiguration } from '#bridge-agent/configuration.ts';
import { InvariantError } from '#core/errors.ts';
import { type CloudHandle, cloudEnvironment, REGION } from '#local/cloud.ts';
import { findProcess, type ProcessRecord, startDetached, stopProcess } from '#local/cloud-process.ts';
import { run } from '#local/process.ts';
import type { RailEnvironment } from '#local/rail-environment.ts';

export interface SlurmSite {
  readonly partition: string;
  /** Whether sacct answers. */
  readonly accounting: boolean;
  /** Path of slurm.conf, when it is not where Slurm looks by itself. */
  readonly slurmConf?: string;
}

/** A site on this machine: the agent as its own process, and the scheduler it submits to. */
export interface SiteOptions {
  readonly home: string;
  readonly handle: CloudHandle;
  readonly outputs: {
    readonly JobQueueUrl?: string;
    readonly LakeBucket?: string;
    readonly AgentRoleArn?: string;
    readonly LeaseTable?: string;
  };
  readonly rail: RailEnvironment;
  /** The Slurm to submit to, or null for the built-in scheduler. */
  readonly slurm: SlurmSite | null;
  readonly log: (line: string) => void;
}

const REPOSITORY = join(import.meta.dirname, '..');

export function siteFiles(home: string) {
  const folder = join(home, 'site');
  return {
    folder,
    configuration: join(folder, 'site.json'),
    process: join(folder, 'agent.process.json'),
    log: join(folder, 'agent.log'),
    scratch: join(folder, 'scratch'),
    kept: join(folder, 'kept'),
    scheduler: join(folder, 'scheduler'),
    journal: join(folder, 'journal.sqlite'),
  };
}

/** Starts the agent, or finds it running with the same configuration. It goes on when the caller ends. */
export async function startSite(options: SiteOptions): Promise<ProcessRecord> {
  const files = siteFiles(options.home);
  await mkdir(files.scratch, { recursive: true });
  const configuration = siteConfiguration(options);
  const text = `${JSON.stringify(configuration, null, 2)}\n`;
  const running = await findProcess(files.process);
  if (running?.configuration === text) return running;
  // SIGTERM would have it finish its work first.
  if (running) await stopProcess(running, 'SIGINT');
  await writeFile(files.configuration, text, { mode: 0o600 });
  const agent = await launch(options.home, options.handle, text);
  const through = configuration.scheduler.kind === 'slurm' ? 'Slurm' : 'the built-in scheduler';
  options.log(`the agent runs as process ${agent.pid}, through ${through}`);
  return agent;
}

/** Starts the agent again as it was configured last: what a service manager does after a crash. */
export async function resumeSite(home: string, handle: CloudHandle): Promise<ProcessRecord> {
  return launch(home, handle, await readFile(siteFiles(home).configuration, 'utf8'));
}

function launch(home: string, handle: CloudHandle, configuration: string): Promise<ProcessRecord> {
  const files = siteFiles(home);
  const bin = join(REPOSITORY, 'node_modules', '.bin');
  return startDetached({
    command: [join(bin, 'node'), join(REPOSITORY, 'cli', 'main.ts'), 'agent', 'run', '--config', files.configuration],
    cwd: files.folder,
    env: { ...process.env, ...cloudEnvironment(handle), PATH: `${bin}:${process.env.PATH ?? ''}` },
    logFile: files.log,
    recordFile: files.process,
    marker: files.configuration,
    configuration,
  });
}

function siteConfiguration({ home, handle, outputs, rail, slurm }: SiteOptions) {
  const files = siteFiles(home);
  const { JobQueueUrl, LakeBucket, AgentRoleArn, LeaseTable } = outputs;
  if (!JobQueueUrl || !LakeBucket || !AgentRoleArn || !LeaseTable) {
    throw new InvariantError('the deployed stack lacks outputs that the agent needs', {
      code: 'OUTPUTS_INCOMPLETE',
      hint: 'Deploy again: ponte local reset, then ponte local up.',
    });
  }
  const scheduler: AgentConfiguration['scheduler'] = slurm
    ? { kind: 'slurm', shape: 'array', workersPerAllocation: 32, ...slurm }
    : { kind: 'local', maxProcesses: availableParallelism(), stateFolder: files.scheduler };
  return {
    site: 'local',
    region: REGION,
    endpoint: handle.url,
    queueUrl: JobQueueUrl,
    lakeBucket: LakeBucket,
    leaseTable: LeaseTable,
    credentials: { roleArn: AgentRoleArn },
    scratch: files.scratch,
    keep: files.kept,
    journal: files.journal,
    scheduler,
    worker: { python: rail.python, folder: rail.env.PYTHONPATH },
    jobFolder: join(REPOSITORY, 'bridge-agent', 'job'),
    algorithmsFolder: join(REPOSITORY, 'schemas', 'algorithms'),
    limits: { tasksPerArray: availableParallelism() },
    // One machine, short jobs: look often.
    intervals: { reconcileSeconds: 1, heartbeatSeconds: 20 },
  };
}

/** Ends the agent and every job it had running on this machine. */
export async function stopSite({ home, log }: Pick<SiteOptions, 'home' | 'log'>): Promise<void> {
  const files = siteFiles(home);
  const agent = await findProcess(files.process);
  if (agent) {
    log('stopping the agent ...');
    await stopProcess(agent, 'SIGINT');
  }
  await rm(files.process, { force: true });
  if (existsSync(files.scheduler)) await endLocalJobs(files.scheduler);
  await endSlurmJobs(files.configuration);
}

const END_WAIT_SECONDS = 40;

async function endLocalJobs(stateFolder: string): Promise<void> {
  const names = await readdir(stateFolder);
  const launcher = join(REPOSITORY, 'bridge-agent', 'job', 'local-task.sh');
  // With no process allowed it starts nothing that waits.
  const scheduler = new LocalScheduler({ stateFolder, launcher, maxProcesses: 0 });
  for (const name of names) await scheduler.cancel(name);
  for (let second = 0; second < END_WAIT_SECONDS; second += 0.25) {
    const look = await scheduler.observe(names);
    if (look.kind === 'seen' && look.live.length === 0) break;
    await sleep(250);
  }
  await scheduler.close();
}

/** Jobs of ours that the site's Slurm still holds. */
async function endSlurmJobs(configuration: string): Promise<void> {
  const site = await readAgentConfiguration(configuration).catch(() => null);
  if (site?.scheduler.kind !== 'slurm') return;
  const { slurmConf } = site.scheduler;
  const env = { ...process.env, ...(slurmConf === undefined ? {} : { SLURM_CONF: slurmConf }) };
  const listed = await run(['squeue', '--noheader', '--format=%j', '--me'], { env }).catch(() => '');
  const ours = new Set(listed.split('\n').filter((name) => /^ponte-[0-9a-f]{16}-/.test(name)));
  for (const name of ours) await run(['scancel', `--name=${name}`], { env }).catch(() => '');
}

/** The agent if it runs, else null. */
export async function siteStatus(home: string): Promise<{ readonly pid: number } | null> {
  const agent = await findProcess(siteFiles(home).process);
  return agent ? { pid: agent.pid } : null;
}
