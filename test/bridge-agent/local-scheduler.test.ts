import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalScheduler } from '#adapters/local-scheduler.ts';
import type { ArrayRequest } from '#core/scheduler.ts';
import { JOB_FOLDER, until } from '#test/bridge-agent/site.ts';
import { schedulerContract } from '#test/contracts/scheduler.ts';

const launcher = join(JOB_FOLDER, 'local-task.sh');
const openIn = (folder: string, maxProcesses = 4) =>
  new LocalScheduler({ stateFolder: join(folder, 'scheduler'), launcher, maxProcesses });

schedulerContract('the built-in scheduler', (folder) => openIn(folder));

describe('the built-in scheduler', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ponte-local-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const request = (name: string, tasks: ArrayRequest['tasks'], script: string, minutes = 5): ArrayRequest => {
    const path = join(folder, `${name}.sh`);
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return {
      name,
      comment: '',
      tasks,
      command: [path],
      logFolder: folder,
      cpusPerTask: 1,
      memoryMb: 1,
      timeLimitMinutes: minutes,
    };
  };
  const stateOf = async (scheduler: LocalScheduler, name: string) => {
    const seen = await scheduler.observe([name]);
    if (seen.kind === 'failed') throw new Error(seen.reason);
    return seen;
  };
  const endsOf = async (scheduler: LocalScheduler, name: string) => {
    for (let look = 0; look < 200; look += 1) {
      const { ended } = await stateOf(scheduler, name);
      if (ended.length > 0) return ended.map(({ state }) => state);
      await sleep(50);
    }
    return [];
  };
  const linesOf = (file: string) => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  };

  it('runs no more processes at a time than it may', async () => {
    const scheduler = openIn(folder, 2);
    const script = `cd ${folder}; touch in.$1; ls | grep -c '^in\\.' >> most; sleep 0.1; rm in.$1`;
    await scheduler.submit(request('crowd', [0, 1, 2, 3, 4, 5, 6, 7], script));
    await until('eight runs', () => linesOf('most').length === 8 && !existsSync(join(folder, 'in.7')));
    expect(Math.max(...linesOf('most').map(Number))).toBeLessThanOrEqual(2);
    await scheduler.close();
  });

  it('submits a name once, however often it is asked', async () => {
    const scheduler = openIn(folder);
    const array = request('once', [0], `echo x >> ${folder}/runs`);
    const first = await scheduler.submit(array);
    expect(await scheduler.submit(array)).toEqual(first);
    await scheduler.close();
    const again = openIn(folder);
    expect(await again.submit(array)).toEqual(first);
    expect(await endsOf(again, 'once')).toEqual(['completed']);
    expect(linesOf('runs')).toHaveLength(1);
    await again.close();
  });

  it('ends a task at its time limit and calls it a time-out', async () => {
    const scheduler = openIn(folder);
    await scheduler.submit(request('long', [0], 'exec sleep 60', 0.5 / 60));
    expect(await endsOf(scheduler, 'long')).toEqual(['timeout']);
    await scheduler.close();
  });

  it('calls a task whose launcher was killed alive while its process is, and lost afterwards', async () => {
    const scheduler = openIn(folder);
    await scheduler.submit(request('orphan', [0], `echo $PPID $$ >> ${folder}/pids; exec sleep 60`));
    await until('the task', () => linesOf('pids').length > 0);
    const [launcherPid = 0, taskPid = 0] = (linesOf('pids')[0] ?? '').split(' ').map(Number);
    process.kill(launcherPid, 'SIGKILL');
    expect((await stateOf(scheduler, 'orphan')).live).toHaveLength(1);
    process.kill(taskPid, 'SIGKILL');
    expect(await endsOf(scheduler, 'orphan')).toEqual(['node-fail']);
    await scheduler.close();
  });

  it('does not take a stranger with the same process number for its task', async () => {
    const scheduler = openIn(folder);
    await scheduler.submit(request('short', [0], `exit 0`));
    await until('the start', () => existsSync(join(folder, 'scheduler', 'short', '0.end')));
    await scheduler.close();
    // As after a reboot: the end was not written, and the number belongs to another process, ours.
    rmSync(join(folder, 'scheduler', 'short', '0.end'));
    const [, , bootId] = readFileSync(join(folder, 'scheduler', 'short', '0.start'), 'utf8')
      .trim()
      .split(' ');
    writeFileSync(join(folder, 'scheduler', 'short', '0.start'), `${process.pid} 1 ${bootId}\n`);
    const again = openIn(folder);
    expect((await stateOf(again, 'short')).ended).toMatchObject([{ state: 'node-fail' }]);
    await again.close();
  });
});
