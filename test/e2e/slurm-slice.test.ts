import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCloud } from '#cli/context.ts';
import { viewRelease } from '#cli/operations/look.ts';
import { resumeCampaign } from '#cli/operations/resume-campaign.ts';
import { stopCampaign } from '#cli/operations/stop-campaign.ts';
import { readCampaign } from '#core/campaign-book.ts';
import { DEMO_RELEASE, type DemoResult, runDemo } from '#local/demo.ts';
import { run } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import { expectEachPartOnce, expectWholeTable } from '#test/e2e/delivered.ts';
import { DemoHome, log, pythonHome } from '#test/e2e/demo-home.ts';
import { prepareCheckers } from '#test/python/checkers.ts';
import { noSlurm, startTestCluster, stopTestCluster } from '#test/slurm/slurm-cluster.ts';

const WHOLE_WAY_MS = 15 * 60 * 1000;
const PATIENCE_MS = 120_000;

async function awaited(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await isTrue()); await sleep(500)) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
  }
}

/** The same slice through real `sbatch`, munge, slurmctld and slurmd. */
describe.skipIf(noSlurm !== null)(
  `from an upload to a federated table, through Slurm${noSlurm ? ` (skipped: ${noSlurm})` : ''}`,
  () => {
    let machine: DemoHome;
    let cluster: SlurmHandle;
    let result: DemoResult;
    let wasStopped = false;

    const jobs = async () => {
      const env = { ...process.env, SLURM_CONF: cluster.confPath };
      return (await run(['squeue', '--noheader', '--format=%j'], { env })).trim();
    };

    /** The operator ends the campaign while its jobs run; when they are gone from the queue, it is resumed. */
    async function stopAndResume(): Promise<void> {
      const cloud = await openCloud(machine.home);
      const [campaign = ''] = (await viewRelease(cloud, DEMO_RELEASE)).campaigns;
      await awaited('a job in the queue', async () => (await jobs()) !== '');
      await stopCampaign(cloud, campaign, 'to see that its jobs end');
      await awaited('an empty queue', async () => (await jobs()) === '');
      expect(await readCampaign(cloud.table, campaign)).toMatchObject({ state: 'stopped' });
      wasStopped = true;
      await resumeCampaign(cloud, campaign);
    }

    beforeAll(async () => {
      await prepareCheckers();
      cluster = await startTestCluster();
      machine = await DemoHome.create();
      const scheduler = { partition: cluster.partition, accounting: false, slurmConf: cluster.confPath };
      const onState = async (state: string) => {
        if (state === 'estimating' && !wasStopped) await stopAndResume();
      };
      result = await runDemo({ home: machine.home, pythonHome, log, scheduler, onState });
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

    it('was stopped on the way, and has left no job in the queue', async () => {
      expect(wasStopped).toBe(true);
      expect(await jobs()).toBe('');
    });
  },
);
