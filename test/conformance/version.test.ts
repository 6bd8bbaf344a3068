import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandFailed, run } from '#local/process.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const SOURCE = join(REPOSITORY, 'local', 'cloud');
let python: string;
let folder: string;
beforeAll(async () => {
  const environment = await ensurePythonEnvironment({
    name: 'cloud',
    lockFile: join(SOURCE, 'requirements.txt'),
    home: join(REPOSITORY, '.ponte'),
    log: (line) => process.stderr.write(`${line}\n`),
  });
  python = environment.python;
  folder = await mkdtemp(join(tmpdir(), 'ponte-version-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function failureOf(env: Record<string, string>): Promise<string> {
  try {
    await run([python, '-m', 'ponte_cloud'], { cwd: SOURCE, env: { ...process.env, ...env } });
    return 'ended well';
  } catch (error) {
    return error instanceof CommandFailed ? error.message : String(error);
  }
}

test('refuses another version of the emulator', async () => {
  await mkdir(join(folder, 'ministack-1.5.34.dist-info'));
  const metadata = 'Metadata-Version: 2.1\nName: ministack\nVersion: 1.5.34\n';
  await writeFile(join(folder, 'ministack-1.5.34.dist-info', 'METADATA'), metadata);

  const failure = await failureOf({ PYTHONPATH: folder });

  expect(failure).toContain('MiniStack 1.5.33 is required but 1.5.34 is installed');
});

test('refuses to leave out a fix that does not exist', async () => {
  expect(await failureOf({ PONTE_CLOUD_WITHOUT: 'lambda-error' })).toContain(
    'names no fix: lambda-error; known: lambda-errors',
  );
});
