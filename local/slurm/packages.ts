import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { run } from '#local/process.ts';

/** The least that runs jobs: no accounting, no REST server. */
const PACKAGES = ['slurmctld', 'slurmd', 'slurm-client', 'slurm-wlm-basic-plugins', 'munge'];

/** Debian asks this script whether a package may start its services; 101 means no. */
const POLICY = '/usr/sbin/policy-rc.d';

export type SlurmAvailability =
  | { readonly available: true }
  /** `reason` is a sentence that a skipped test can print. */
  | { readonly available: false; readonly reason: string };

/** Whether this machine can be given a Slurm of its own. */
export function slurmAvailable(): SlurmAvailability {
  if (process.platform !== 'linux') return unavailable('Slurm runs on Linux only');
  if (process.getuid?.() !== 0) return unavailable('a Slurm of its own needs root, to install packages and run jobs');
  if (isInstalled()) return { available: true };
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (/^ID(_LIKE)?=.*debian/m.test(release)) return { available: true };
  return unavailable('Slurm is installed from Debian’s packages, and this is another system');
}

function unavailable(reason: string): SlurmAvailability {
  return { available: false, reason };
}

function isInstalled(): boolean {
  return ['/usr/sbin/slurmctld', '/usr/sbin/slurmd', '/usr/bin/sbatch', '/usr/sbin/munged'].every(existsSync);
}

/** Installs the packages if one is missing; none of their services is started. */
export async function installSlurm(log: (line: string) => void): Promise<void> {
  if (isInstalled()) return;
  const started = Date.now();
  log('installing Slurm from Debian’s packages (once) ...');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await run(['apt-get', 'update', '-qq'], { env });
    await run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...PACKAGES], { env });
  } finally {
    if (ownPolicy) await rm(POLICY, { force: true });
  }
  log(`  Slurm is installed after ${((Date.now() - started) / 1000).toFixed(1)} s`);
}
