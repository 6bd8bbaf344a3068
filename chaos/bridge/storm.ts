import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane } from '#chaos/bridge/lane.ts';
import type { Seeded } from '#chaos/bridge/seeded.ts';
import { resumeDrained } from '#chaos/drained-nodes.ts';
import type { SlurmHandle } from '#local/slurm.ts';

/** Between two faults of the cluster; a job that Slurm lost is looked for 25 s, so there is time to end some. */
const CALM_MILLISECONDS = 30_000;

const FAULTS = [
  'slurmctld killed',
  'slurmctld frozen',
  'slurmctld frozen for a minute',
  'slurmd killed',
  'node killed',
  'launch failed',
] as const;
type Fault = (typeof FAULTS)[number];
export const HAPPENINGS = [...FAULTS, 'drained node resumed'] as const;
export type Happening = (typeof HAPPENINGS)[number];

/** How long launches fail: a few are tried in that time, and each drains its node. */
const FAILING_MILLISECONDS = 3000;

/**
 * Faults of the cluster while rounds go on, one after the other, until the signal; the cluster is whole afterwards.
 * @param lanes whose processes die with a node
 */
export async function storm(
  cluster: SlurmHandle,
  lanes: readonly Lane[],
  seeded: Seeded,
  signal: AbortSignal,
  tell: (what: Happening) => void,
): Promise<void> {
  for (let number = 0; !signal.aborted; number += 1) {
    await sleep(CALM_MILLISECONDS / 2 + seeded.number(`calm ${number}`, CALM_MILLISECONDS), undefined, {
      signal,
    }).catch(() => undefined);
    if (signal.aborted) break;
    const fault = FAULTS[seeded.number(`fault ${number}`, FAULTS.length)] ?? FAULTS[0];
    tell(fault);
    await strike(fault, number, { cluster, lanes, seeded, signal });
    await repair(cluster, tell);
  }
  await repair(cluster, tell);
}

interface Surroundings {
  readonly cluster: SlurmHandle;
  readonly lanes: readonly Lane[];
  readonly seeded: Seeded;
  readonly signal: AbortSignal;
}

async function strike(fault: Fault, number: number, { cluster, lanes, seeded, signal }: Surroundings): Promise<void> {
  const { controller, nodes } = cluster.daemons;
  const index = seeded.number(`node ${number}`, nodes.length);
  const wait = (milliseconds: number) => sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  const pause = () => wait(500 + seeded.number(`dead ${number}`, 4000));
  switch (fault) {
    case 'slurmctld frozen':
    case 'slurmctld frozen for a minute': {
      const frozen = controller.freeze();
      // sbatch gives up after 10 s.
      await wait(fault === 'slurmctld frozen' ? 2000 + seeded.number(`frozen ${number}`, 12_000) : 60_000);
      frozen.thaw();
      return;
    }
    case 'slurmctld killed':
      await controller.kill();
      return pause();
    case 'slurmd killed':
      await nodes[index]?.kill();
      return pause();
    case 'node killed':
      await nodes[index]?.kill();
      killTasksOf(`n${index + 1}`, lanes);
      return pause();
    case 'launch failed':
      writeFileSync(cluster.prologFails, '');
      await wait(FAILING_MILLISECONDS);
      rmSync(cluster.prologFails, { force: true });
  }
}

/** Everything that a node runs dies at once: Slurm's step daemons first, so that none of them tells how its task ended. */
function killTasksOf(node: string, lanes: readonly Lane[]): void {
  for (const lane of lanes) {
    const pids = lane.site.processes().map((line) => line.trim().split(/\s+/)[0] ?? '');
    const here = pids.filter((pid) => environmentOf(pid).includes(`SLURMD_NODENAME=${node}`));
    const daemons = new Set(here.map(stepDaemonOf).filter((pid) => pid !== ''));
    for (const pid of [...daemons, ...here]) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended by itself in between.
      }
    }
    lane.mourn(here);
  }
}

function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** The slurmstepd above a process; empty when there is none. */
function stepDaemonOf(pid: string): string {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const parent = /^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? '0';
    if (/^Name:\s*slurmstepd$/m.test(status)) return pid;
    return parent === '0' || parent === '1' ? '' : stepDaemonOf(parent);
  } catch {
    return '';
  }
}

/** Starts what of it is dead. A node that Slurm drained meanwhile is taken up again, as its administrator would. */
async function repair(cluster: SlurmHandle, tell: (what: Happening) => void): Promise<void> {
  if (cluster.daemons.controller.isRunning()) await resumeDrained(cluster, () => tell('drained node resumed'));
  try {
    await cluster.start();
  } catch {
    await resumeDrained(cluster, () => tell('drained node resumed'));
    await cluster.start();
  }
}
