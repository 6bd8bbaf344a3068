import { execFile } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import { whyFull } from '#bridge-agent/room.ts';

const runProgram = promisify(execFile);

/** RAIL's imports take about 4 s on a warm disk; a cold Lustre has taken minutes. */
const IMPORT_TIMEOUT_MILLISECONDS = 300_000;

/** Magic numbers of statfs(2) for the file systems on which SQLite's locks do not hold. */
const SHARED_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
]);

/** @throws {Error} with what the agent's user cannot do there, or what is used up. */
export async function checkScratch({ scratch, limits }: AgentConfiguration): Promise<string> {
  const folder = mkdtempSync(join(scratch, '.doctor-'));
  try {
    writeFileSync(join(folder, 'file'), '');
    linkSync(join(folder, 'file'), join(folder, 'link'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const full = whyFull(scratch, limits);
  if (full !== null) throw new Error(full);
  const { bavail, bsize } = statfsSync(scratch);
  return `${((bavail * bsize) / 1e9).toFixed(1)} GB are free, hard links work`;
}

/** @throws {Error} when copies cannot be written there. */
export async function checkKept(keep: string): Promise<string> {
  rmSync(mkdtempSync(join(keep, '.doctor-')), { recursive: true });
  const { bavail, bsize } = statfsSync(keep);
  return `${((bavail * bsize) / 1e9).toFixed(1)} GB are free for copies`;
}

/** @throws {Error} when the folder cannot be written, or lies where locks do not hold. */
export async function checkJournal({ journal }: AgentConfiguration): Promise<string> {
  const folder = dirname(journal);
  mkdirSync(folder, { recursive: true });
  const probe = mkdtempSync(join(folder, '.doctor-'));
  rmSync(probe, { recursive: true });
  const shared = SHARED_FILE_SYSTEMS.get(statfsSync(folder).type);
  if (shared !== undefined) throw new Error(`${folder} is on ${shared}`);
  return `${folder} is local and can be written`;
}

/** @throws {Error} with Python's own last words. */
export async function checkRailEnvironment({ worker }: AgentConfiguration): Promise<string> {
  // The names go as arguments; nothing is spliced into the program.
  const program = 'import importlib, sys; importlib.import_module(sys.argv[1]); print(sys.version.split()[0])';
  const needs = worker.module === 'ponte_rail' ? ['rail.core', worker.module] : [worker.module];
  let version = '';
  for (const module of needs) {
    const env = { PYTHONPATH: worker.folder, PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp' };
    const options = { env, timeout: IMPORT_TIMEOUT_MILLISECONDS };
    try {
      version = (await runProgram(worker.python, ['-c', program, module], options)).stdout.trim();
    } catch (error) {
      throw new Error(`${worker.python} cannot import ${module}: ${lastLine(error)}`, { cause: error });
    }
  }
  return `Python ${version} imports ${needs.join(' and ')}`;
}

/** Of a program's complaint: Python ends its tracebacks with what is wrong. */
function lastLine(error: unknown): string {
  const complaint = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return complaint.split('\n').at(-1) || (error instanceof Error ? error.message : String(error));
}
