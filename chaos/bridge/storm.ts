import { setTimeout as sleep } from 'node:timers/promises';
import type { Seeded } from '#chaos/bridge/seeded.ts';
import { run } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';

/** Between two faults of the cluster; a job that Slurm lost is looked for 25 s, so there is time to end some. */
const CALM_MILLISECONDS = 30_000;

const FAULTS = ['slurmctld killed', 'slurmctld frozen', 'slurmd killed'] as const;
export type Happening = (typeof FAULTS)[number] | 'drained node resumed';

/** Faults of the cluster while rounds go on, one after the other, until the signal; the cluster is whole afterwards. */
export async function storm(
  cluster: SlurmHandle,
  seeded: Seeded,
  signal: AbortSignal,
  tell: (what: Happening) => void,
): Promise<void> {
  const { controller, nodes } = cluster.daemons;
  for (let number = 0; !signal.aborted; number += 1) {
    await sleep(CALM_MILLISECONDS / 2 + seeded.number(`calm ${number}`, CALM_MILLISECONDS), undefined, {
      signal,
    }).catch(() => undefined);
    if (signal.aborted) break;
    const fault = FAULTS[seeded.number(`fault ${number}`, FAULTS.length)] ?? FAULTS[0];
    tell(fault);
    if (fault === 'slurmctld frozen') {
      const frozen = controller.freeze();
      // sbatch gives up after 10 s.
      await sleep(2000 + seeded.number(`frozen ${number}`, 12_000));
      frozen.thaw();
    } else {
      const victim = fault === 'slurmd killed' ? nodes[seeded.number(`node ${number}`, nodes.length)] : controller;
      await victim?.kill();
      await sleep(500 + seeded.number(`dead ${number}`, 4000));
      await repair(cluster, tell);
    }
  }
  await repair(cluster, tell);
}

/** Starts what of it is dead. A node that Slurm drained meanwhile is taken up again, as its administrator would. */
async function repair(cluster: SlurmHandle, tell: (what: Happening) => void): Promise<void> {
  try {
    await cluster.start();
  } catch {
    tell('drained node resumed');
    const env = { ...process.env, SLURM_CONF: cluster.confPath };
    const names = cluster.daemons.nodes.map((_, index) => `n${index + 1}`).join(',');
    await run(['scontrol', 'update', `nodename=${names}`, 'state=resume'], { env });
    await cluster.start();
  }
}
