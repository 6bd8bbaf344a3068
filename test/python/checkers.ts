import { join } from 'node:path';
import { run } from '#local/process.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

const repository = join(import.meta.dirname, '..', '..');

/** Where tests may keep state that is costly to make again; ignored by git. */
const stateFolder = join(repository, '.ponte');

/**
 * Installs the environment of the outside checkers unless it is there. Call it in `beforeAll`, which may take minutes:
 * inside a test the installation would count as the test's time.
 */
export async function prepareCheckers(): Promise<string> {
  const { python } = await ensurePythonEnvironment({
    name: 'checkers',
    lockFile: join(repository, 'test/python/requirements.txt'),
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
  return await run([await prepareCheckers(), '-W', 'ignore', join(repository, script), ...args]);
}
