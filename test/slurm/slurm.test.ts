import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlurmScheduler } from '#adapters/slurm.ts';
import type { ArrayRequest } from '#core/scheduler.ts';
import { run } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import { JOB_FOLDER } from '#test/bridge-agent/site.ts';
import { schedulerContract } from '#test/contracts/scheduler.ts';
import { noSlurm, startTestCluster, stopTestCluster } from '#test/slurm/slurm-cluster.ts';

describe.skipIf(noSlurm !== null)(`real Slurm${noSlurm === null ? '' : ` (skipped: ${noSlurm})`}`, () => {
  let cluster: SlurmHandle;
  beforeAll(async () => {
    cluster = await startTestCluster();
  });
  afterAll(stopTestCluster);

  const open = (overrides = {}) =>
    new SlurmScheduler({
      partition: cluster.partition,
      slurmConf: cluster.confPath,
      jobFolder: JOB_FOLDER,
      accounting: false,
      ...overrides,
    });

  schedulerContract('Slurm by its command line', () => open());
  schedulerContract('Slurm with one allocation', () => open({ shape: 'allocation' }), 'allocation');

  describe('what it answers to a submission', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ponte-slurm-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const request = (name: string, changes: Partial<ArrayRequest> = {}): ArrayRequest => ({
      name: `${name}-${Date.now()}`,
      comment: 'test',
      tasks: [0],
      command: ['/bin/true'],
      logFolder: folder,
      cpusPerTask: 1,
      memoryMb: 50,
      timeLimitMinutes: 1,
      ...changes,
    });

    it('refuses for good what can never run', async () => {
      const wrongPartition = await open({ partition: 'nowhere' }).submit(request('partition'));
      expect(wrongPartition).toMatchObject({ kind: 'rejected', permanent: true });
      const wrongIndex = await open().submit(request('index', { tasks: [5000] }));
      expect(wrongIndex).toMatchObject({ kind: 'rejected', permanent: true });
      const tooMuch = await open().submit(request('memory', { memoryMb: 900 * 1024 * 1024 }));
      expect(tooMuch).toMatchObject({ kind: 'rejected', permanent: true });
      expect(await open().dryRun(request('dry', { cpusPerTask: 500 }))).toMatchObject({ accepted: false });
    });

    it('leaves nothing of the agent’s environment on the controller’s disk', async () => {
      const secret = `a credential of ${Date.now()}`;
      process.env.PONTE_CONTRACT_SECRET = secret;
      const array = request('secret', { command: ['/bin/sleep', '30'] });
      const scheduler = open();
      const submitted = await scheduler.submit(array);
      delete process.env.PONTE_CONTRACT_SECRET;
      const jobId = submitted.kind === 'submitted' ? submitted.jobId : '';
      const stored = join(cluster.confPath, '..', '..', 'state', `hash.${Number(jobId) % 10}`, `job.${jobId}`);
      const environment = readFileSync(join(stored, 'environment'), 'utf8');
      await scheduler.cancel(array.name);

      expect(environment).not.toContain(secret);
      // A count in four bytes, then strings that end in a zero: those of --export=NIL are Slurm's own.
      const names = [...environment.matchAll(/(?:^|\0)[^A-Z\0]*([A-Z_]+)=/g)].map(([, name]) => name);
      expect(names.length).toBeGreaterThan(3);
      expect(names.filter((name) => !name?.startsWith('SLURM_'))).toEqual([]);
    });

    it('with a frozen controller does not know, and finds the job by its name afterwards', async () => {
      const array = request('frozen');
      const scheduler = open();
      const since = new Date();
      const controller = cluster.daemons.controller.freeze();
      const submitting = scheduler.submit(array);
      // Slurm's message time-out is 10 s.
      expect(await submitting).toMatchObject({ kind: 'unknown' });
      expect(await scheduler.observe([array.name], since)).toMatchObject({ kind: 'failed' });
      controller.thaw();
      let found = 0;
      for (let look = 0; look < 100 && found === 0; look += 1) {
        await sleep(200);
        const seen = await scheduler.observe([array.name], since);
        if (seen.kind === 'seen') found = seen.live.length + seen.ended.length;
      }
      expect(found).toBe(1);
    }, 90_000);

    it('with no controller is told to come later, and nothing was created', async () => {
      const array = request('down');
      await cluster.daemons.controller.stop();
      expect(await open().submit(array)).toMatchObject({ kind: 'rejected', permanent: false });
      await cluster.start();
      expect(await open().observe([array.name], new Date())).toEqual({ kind: 'seen', live: [], ended: [] });
      expect(await run(['sinfo', '-h'], { env: { ...process.env, SLURM_CONF: cluster.confPath } })).toContain('main');
    }, 90_000);
  });
});
