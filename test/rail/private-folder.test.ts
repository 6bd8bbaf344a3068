import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { run } from '#local/process.ts';
import { prepareRail, type Rail } from './rail-worker.ts';

let rail: Rail;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  rail = await prepareRail('private-folder');
  env = { ...rail.env, TMPDIR: rail.folder };
});

const MAKE =
  'from ponte_rail.private_folder import PrivateFolder\nmine = PrivateFolder()\nprint(mine.path, flush=True)\n';

test('a worker’s own folder goes with it, and the next worker removes that of one that was killed', async () => {
  const killed = spawn(rail.python, ['-c', `${MAKE}import time; time.sleep(600)`], { env });
  const [line] = await once(killed.stdout, 'data');
  const left = String(line).trim();
  try {
    // While it lives nobody touches it.
    const other = (await run([rail.python, '-c', `${MAKE}mine.close()`], { env })).trim();
    expect(other).not.toBe(left);
    expect([existsSync(left), existsSync(other)]).toEqual([true, false]);
  } finally {
    killed.kill('SIGKILL');
    await once(killed, 'close');
  }
  expect(existsSync(left)).toBe(true);
  await run([rail.python, '-c', `${MAKE}mine.close()`], { env });
  expect(await readdir(rail.folder)).toEqual([]);
});

test('nothing is made for an algorithm that needs no files', async () => {
  await run([rail.python, '-c', 'from ponte_rail.private_folder import PrivateFolder\nPrivateFolder().close()'], {
    env,
  });
  expect(await readdir(rail.folder)).toEqual([]);
});
