import { run } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';

/**
 * Takes up what Slurm drained, as its administrator would: a node whose processes it could not end in time, when they were
 * killed from outside.
 */
export async function resumeDrained(cluster: SlurmHandle, onResume: (node: string) => void): Promise<void> {
  const env = { ...process.env, SLURM_CONF: cluster.confPath };
  const listing = await run(['sinfo', '-h', '-N', '-p', cluster.partition, '-o', '%N %T'], { env }).catch(() => '');
  const drained = listing.split('\n').flatMap((line) => /^(\S+) .*drain/.exec(line)?.[1] ?? []);
  for (const node of drained) {
    onResume(node);
    // It may have come back by itself, which Slurm calls an invalid state.
    await run(['scontrol', 'update', `nodename=${node}`, 'state=resume'], { env }).catch(() => '');
  }
}
