import { join } from 'node:path';
import { run } from '#local/process.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

const repository = join(import.meta.dirname, '..', '..');

/** Where tests may keep state that is costly to make again; ignored by git. */
const stateFolder = join(repository, '.ponte');

/** Which LSDB: the one that our documents describe, with qp, or the last one before it, without extensions. */
export type CheckerSet = 'outside' | 'outside-older';

const LOCKS: Readonly<Record<CheckerSet, string>> = {
  outside: 'test/python/requirements.txt',
  'outside-older': 'test/python/older-requirements.txt',
};

/**
 * Installs the environment of the outside checkers unless it is there. Call it in `beforeAll`, which may take minutes:
 * inside a test the installation would count as the test's time.
 */
export async function prepareCheckers(name: CheckerSet = 'outside'): Promise<string> {
  const { python } = await ensurePythonEnvironment({
    name,
    lockFile: join(repository, LOCKS[name]),
    home: stateFolder,
    log: (line) => console.log(line),
  });
  return python;
}

/**
 * Runs a Python script (path from the repository's root) among the outside checkers and resolves with what it printed.
 * @throws {CommandFailed} when the script does not end with status 0.
 */
export async function runChecker(script: string, ...args: readonly string[]): Promise<string> {
  return await runCheckerOf('outside', script, ...args);
}

/** `runChecker` in another environment than the current one. */
export async function runCheckerOf(name: CheckerSet, script: string, ...args: readonly string[]): Promise<string> {
  return await run([await prepareCheckers(name), '-W', 'ignore', join(repository, script), ...args]);
}
