import { join } from 'node:path';
import { run } from '#local/process.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

const repository = join(import.meta.dirname, '..', '..');

/** Where tests may keep state that is costly to make again; ignored by git. */
const stateFolder = join(repository, '.ponte');

/**
 * Runs a Python script (path from the repository's root) in the environment of the outside checkers, which is
 * installed on first use, and resolves with what it printed.
 * @throws {CommandFailed} when the script does not end with status 0.
 */
export async function runChecker(script: string, ...args: readonly string[]): Promise<string> {
  const { python } = await ensurePythonEnvironment({
    name: 'checkers',
    lockFile: join(repository, 'test/python/requirements.txt'),
    home: stateFolder,
    log: (line) => console.log(line),
  });
  return await run([python, '-W', 'ignore', join(repository, script), ...args]);
}
