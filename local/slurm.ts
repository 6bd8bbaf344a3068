import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname as fullHostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '#local/process.ts';
import {
  type ClusterPlan,
  cgroupConf,
  mungeSocket,
  PARTITION,
  prolog,
  prologFails,
  prologPath,
  slurmConf,
  slurmConfPath,
  URGENT_PARTITION,
} from '#local/slurm/cluster-configuration.ts';
import { Daemon } from '#local/slurm/daemons.ts';
import { freePorts } from '#local/slurm/free-ports.ts';
import { installSlurm, slurmAvailable } from '#local/slurm/packages.ts';

export { slurmAvailable } from '#local/slurm/packages.ts';

export interface SlurmSpec {
  /** Absolute; everything of the cluster lies in `home/slurm`. */
  readonly home: string;
  readonly log: (line: string) => void;
  /** Virtual nodes: one slurmd each, all on this host. */
  readonly nodes: number;
  /** That each node says it has. */
  readonly cpus: number;
}

export interface SlurmHandle {
  /** For SLURM_CONF: the only way to this cluster. /etc/slurm is neither read nor written. */
  readonly confPath: string;
  readonly partition: string;
  /** Its jobs preempt those of `partition`, which are queued again. */
  readonly urgentPartition: string;
  /** While this file exists every launch fails. */
  readonly prologFails: string;
  readonly version: string;
  /** Of the daemons, for tests that end one. */
  readonly daemons: { readonly controller: Daemon; readonly nodes: readonly Daemon[] };
  /** Starts what of it does not run. */
  start(): Promise<void>;
}

/** How long the daemons have to answer; they need about one second. */
const READY_SECONDS = 30;

/**
 * Installs Slurm if it is missing and starts a cluster on this host, with a munge of its own. A second call with the
 * cluster up returns at once.
 * @throws {Error} with the reason when this machine cannot have one (see `slurmAvailable`).
 */
export async function ensureSlurm(spec: SlurmSpec): Promise<SlurmHandle> {
  const availability = slurmAvailable();
  if (!availability.available) throw new Error(availability.reason);
  await installSlurm(spec.log);
  const folder = join(spec.home, 'slurm');
  const version = await installedVersion();
  const daemons = daemonsOf(folder, spec.nodes);
  const all = [daemons.munge, daemons.controller, ...daemons.nodes];
  if (!all.every((daemon) => daemon.isRunning()) || !isConfiguredFor(folder, spec)) {
    await stopSlurm(spec);
    await configure(folder, spec, version);
  }
  const confPath = slurmConfPath(folder);
  const start = () => startDaemons(folder, daemons);
  await start();
  spec.log(`Slurm ${version.text} is up with ${spec.nodes} nodes of ${spec.cpus} cpus`);
  return {
    confPath,
    partition: PARTITION,
    urgentPartition: URGENT_PARTITION,
    prologFails: prologFails(folder),
    version: version.text,
    daemons: { controller: daemons.controller, nodes: daemons.nodes },
    start,
  };
}

/** Cancels its jobs and ends its daemons; only what `ensureSlurm` started. Nothing to do is no error. */
export async function stopSlurm({ home, log }: Pick<SlurmSpec, 'home' | 'log'>): Promise<void> {
  const folder = join(home, 'slurm');
  if (!existsSync(slurmConfPath(folder))) return;
  const daemons = daemonsOf(folder, countNodes(folder));
  if (daemons.controller.isRunning()) {
    log('stopping Slurm ...');
    const env = clientEnvironment(folder);
    // Its jobs are not children of its daemons' sessions, so they must end first.
    await run(['scancel', '--user=root', '--hurry'], { env }).catch(() => '');
    for (let wait = 0; wait < 50; wait += 1) {
      const queue = await run(['squeue', '-h', '-o', '%i'], { env }).catch(() => '');
      if (queue.trim() === '') break;
      await sleep(200);
    }
  }
  for (const daemon of [...daemons.nodes, daemons.controller, daemons.munge]) await daemon.stop();
}

function daemonsOf(folder: string, nodes: number) {
  const daemon = (name: string) => new Daemon(join(folder, 'run', `${name}.json`));
  return {
    munge: daemon('munged'),
    controller: daemon('slurmctld'),
    nodes: Array.from({ length: nodes }, (_, index) => daemon(`slurmd-n${index + 1}`)),
  };
}

function planOf(folder: string, { nodes, cpus }: SlurmSpec, ports: readonly number[]): ClusterPlan {
  const [controllerPort = 0, ...nodePorts] = ports;
  return {
    folder,
    hostname: fullHostname().split('.')[0] ?? 'localhost',
    controllerPort,
    nodePorts,
    cpusPerNode: cpus,
    memoryMb: Math.floor(totalmem() / 1024 / 1024 / nodes),
  };
}

/** Whether the cluster that was configured here, on whichever ports, is the one asked for now. */
function isConfiguredFor(folder: string, spec: SlurmSpec): boolean {
  const written = existsSync(slurmConfPath(folder)) ? readFileSync(slurmConfPath(folder), 'utf8') : '';
  const withoutPorts = (text: string) => text.replaceAll(/Port=\d+/g, 'Port=');
  return withoutPorts(written) === withoutPorts(slurmConf(planOf(folder, spec, Array(spec.nodes + 1).fill(0))));
}

async function configure(
  folder: string,
  spec: SlurmSpec,
  version: { readonly major: number; readonly minor: number },
): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  for (const name of ['etc', 'log', 'munge', 'run', 'spool', 'state'])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'munge', 'key'), randomBytes(1024), { mode: 0o400 });
  chmodSync(join(folder, 'munge'), 0o711);
  writeFileSync(slurmConfPath(folder), slurmConf(planOf(folder, spec, await freePorts(spec.nodes + 1))));
  writeFileSync(join(folder, 'etc', 'cgroup.conf'), cgroupConf(version));
  writeFileSync(prologPath(folder), prolog(folder), { mode: 0o755 });
}

async function startDaemons(folder: string, daemons: ReturnType<typeof daemonsOf>): Promise<void> {
  const env = { ...clientEnvironment(folder), SLURMD_DEBUG: '' };
  const log = (name: string) => join(folder, 'log', `${name}.out`);
  if (!daemons.munge.isRunning()) {
    const munge = join(folder, 'munge');
    const socket = mungeSocket(folder);
    const files = [
      `--key-file=${munge}/key`,
      `--pid-file=${munge}/pid`,
      `--seed-file=${munge}/seed`,
      `--socket=${socket}`,
    ];
    // Its files belong to root, as we do; --force because it would rather be run by a user of its own.
    daemons.munge.start(['munged', '--foreground', '--force', ...files], log('munged'), env);
    await ready('munged', () => run(['munge', '-n', '-S', socket], { env }));
  }
  if (!daemons.controller.isRunning()) {
    daemons.controller.start(['slurmctld', '-D'], log('slurmctld'), env);
    await ready('slurmctld', () => run(['scontrol', 'ping'], { env }));
  }
  for (const [index, daemon] of daemons.nodes.entries()) {
    const name = `n${index + 1}`;
    mkdirSync(join(folder, 'spool', name), { recursive: true });
    if (!daemon.isRunning()) daemon.start(['slurmd', '-D', '-N', name], log(`slurmd-${name}`), env);
  }
  await ready('the nodes', async () => {
    const listing = await run(['sinfo', '-h', '-N', '-p', PARTITION, '-o', '%N %T'], { env });
    // A star behind the state means that the node has not answered yet.
    const up = listing.split('\n').filter((line) => /^\S+ (idle|mixed|allocated)$/.test(line));
    if (up.length < daemons.nodes.length) throw new Error(`sinfo says: ${listing.trim()}`);
  });
}

async function ready(what: string, check: () => Promise<unknown>): Promise<void> {
  const end = Date.now() + READY_SECONDS * 1000;
  for (;;) {
    try {
      await check();
      return;
    } catch (cause) {
      if (Date.now() > end) throw new Error(`${what} did not come up in ${READY_SECONDS} s`, { cause });
      await sleep(100);
    }
  }
}

function clientEnvironment(folder: string): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C',
    SLURM_CONF: slurmConfPath(folder),
  };
}

async function installedVersion(): Promise<{ readonly text: string; readonly major: number; readonly minor: number }> {
  // sinfo and the others want a slurm.conf before they say their version.
  const text = (await run(['/usr/sbin/slurmctld', '-V'])).trim().split(' ').at(-1) ?? '';
  const [major = 0, minor = 0] = text.split('.').map(Number);
  return { text, major, minor };
}

function countNodes(folder: string): number {
  return readFileSync(slurmConfPath(folder), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('NodeName=')).length;
}
