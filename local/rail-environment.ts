import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '#local/process.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

/** The folder of the worker: its package and its lock. It goes on PYTHONPATH. */
export const RAIL_FOLDER = fileURLToPath(new URL('../bridge-agent/rail', import.meta.url));

export interface RailEnvironment {
  /** Absolute path of the interpreter. */
  readonly python: string;
  /** What a process needs in its environment to find `ponte_rail`. */
  readonly env: { readonly PYTHONPATH: string; readonly PYTHONDONTWRITEBYTECODE: '1' };
}

/**
 * The worker's Python environment with BPZ's template fluxes in it. The first call takes some 30 s (installation and
 * 9 s of template fluxes), later ones well under a second.
 * @throws {CommandFailed} when a package cannot be installed; carries the installer's last words.
 */
export async function ensureRailEnvironment(options: {
  readonly home: string;
  readonly log: (line: string) => void;
}): Promise<RailEnvironment> {
  const { python } = await ensurePythonEnvironment({
    name: 'rail',
    lockFile: join(RAIL_FOLDER, 'requirements.txt'),
    overridesFile: join(RAIL_FOLDER, 'overrides.txt'),
    ...options,
  });
  const env = { PYTHONPATH: RAIL_FOLDER, PYTHONDONTWRITEBYTECODE: '1' } as const;
  await run([python, '-m', 'ponte_rail.reference_data'], { env: { ...process.env, ...env } });
  return { python, env };
}
