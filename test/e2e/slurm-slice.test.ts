import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoResult, runDemo } from '#local/demo.ts';
import { run } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import { expectEachPartOnce, expectWholeTable } from '#test/e2e/delivered.ts';
import { DemoHome, log, pythonHome } from '#test/e2e/demo-home.ts';
import { prepareCheckers } from '#test/python/checkers.ts';
import { noSlurm, startTestCluster, stopTestCluster } from '#test/slurm/slurm-cluster.ts';

const WHOLE_WAY_MS = 15 * 60 * 1000;

/** The same slice through real `sbatch`, munge, slurmctld and slurmd. */
describe.skipIf(noSlurm !== null)(
  `from an upload to a federated table, through Slurm${noSlurm ? ` (skipped: ${noSlurm})` : ''}`,
  () => {
    let machine: DemoHome;
    let cluster: SlurmHandle;
    let result: DemoResult;

    beforeAll(async () => {
      await prepareCheckers();
      cluster = await startTestCluster();
      machine = await DemoHome.create();
      const scheduler = { partition: cluster.partition, accounting: false, slurmConf: cluster.confPath };
      result = await runDemo({ home: machine.home, pythonHome, log, scheduler });
    }, WHOLE_WAY_MS);

    afterAll(async () => {
      await machine?.remove();
      await stopTestCluster();
    }, 120_000);

    it('delivers every row once, less exactly those of the damaged chunk', { timeout: 240_000 }, () =>
      expectWholeTable(result),
    );

    it('estimates every part once with every algorithm, and keeps the books even', { timeout: 60_000 }, () =>
      expectEachPartOnce(machine.home, result),
    );

    it('leaves no job in the queue', async () => {
      const env = { ...process.env, SLURM_CONF: cluster.confPath };

      const queued = await run(['squeue', '--noheader', '--format=%j'], { env });

      expect(queued.trim()).toBe('');
    });
  },
);
