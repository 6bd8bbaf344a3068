import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureSlurm, type SlurmHandle, slurmAvailable, stopSlurm } from '#local/slurm.ts';

export const SLURM_HOME = join(fileURLToPath(new URL('../..', import.meta.url)), '.ponte');
const log = (line: string) => console.log(line);

const availability = slurmAvailable();

/** Null when this machine can have a Slurm, else the sentence why not, for the title of what is skipped. */
export const noSlurm: string | null = availability.available ? null : availability.reason;

/** Two nodes of four cpus on this host; there are never as many real ones, and tests mostly wait. */
export function startTestCluster(): Promise<SlurmHandle> {
  return ensureSlurm({ home: SLURM_HOME, log, nodes: 2, cpus: 4 });
}

export function stopTestCluster(): Promise<void> {
  return stopSlurm({ home: SLURM_HOME, log });
}
