import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCloud } from '#cli/context.ts';
import { viewRelease } from '#cli/operations/look.ts';
import { campaignPartition } from '#core/campaign.ts';
import { LEASE_PREFIX } from '#core/ledger.ts';
import { scan } from '#core/table.ts';
import { cloudStatus } from '#local/cloud.ts';
import { findProcess } from '#local/cloud-process.ts';
import { DEMO_RELEASE, type DemoResult, runDemo } from '#local/demo.ts';
import { resumeSite, siteFiles } from '#local/site.ts';
import { expectEachPartOnce, expectPlainRail, expectWholeTable } from '#test/e2e/delivered.ts';
import { DemoHome, log, pythonHome } from '#test/e2e/demo-home.ts';
import { uploadFiveTimesOutOfOrder } from '#test/e2e/uploads.ts';
import { prepareCheckers } from '#test/python/checkers.ts';

const WHOLE_WAY_MS = 15 * 60 * 1000;

/** The whole way through the built-in scheduler; the agent is killed twice in the middle of the estimate stage. */
describe('from an upload to a federated table, with the agent killed on the way', () => {
  let machine: DemoHome;
  let result: DemoResult;
  let kills = 0;

  async function killAgent(): Promise<void> {
    const files = siteFiles(machine.home);
    const agent = await findProcess(files.process);
    const handle = await cloudStatus({ home: machine.home });
    if (!agent || !handle) throw new Error('nothing runs that could be killed');
    process.kill(agent.pid, 'SIGKILL');
    kills += 1;
    await sleep(1000);
    await resumeSite(machine.home, handle);
  }

  /** Kills once jobs are in flight, and once more a little later, when the new agent has found them again. */
  async function breakThings(): Promise<void> {
    const cloud = await openCloud(machine.home);
    const [campaign] = await campaignsOf(machine.home);
    for (let look = 0; look < 240; look += 1) {
      for await (const lease of scan(cloud.table, campaignPartition(campaign ?? ''), LEASE_PREFIX)) {
        if (lease.state !== 'held') continue;
        await sleep(3000);
        await killAgent();
        await sleep(4000);
        await killAgent();
        return;
      }
      await sleep(250);
    }
    throw new Error('no job was ever in flight');
  }

  beforeAll(async () => {
    await prepareCheckers();
    machine = await DemoHome.create();
    const onState = async (state: string) => {
      if (state === 'estimating') await breakThings();
    };
    result = await runDemo({ home: machine.home, pythonHome, log, scheduler: 'local', onState });
  }, WHOLE_WAY_MS);

  afterAll(() => machine?.remove(), 120_000);

  it('delivers every row once, less exactly those of the damaged chunk', { timeout: 240_000 }, async () => {
    expect(kills).toBe(2);
    await expectWholeTable(result);
  });

  it('estimates every part once with every algorithm, and keeps the books even', { timeout: 60_000 }, () =>
    expectEachPartOnce(machine.home, result),
  );

  it.each(['bpz', 'fzboost'])(
    'gives the p(z) of a plain RAIL call, bit for bit: %s',
    { timeout: 120_000 },
    (algorithm) => expectPlainRail(machine.home, result, algorithm),
  );

  it('goes on where it was when it is run again', { timeout: 120_000 }, async () => {
    const again = await runDemo({ home: machine.home, pythonHome, log, scheduler: 'local' });

    expect(again.report.campaign).toEqual(result.report.campaign);
    expect(again.report.ledger).toEqual(result.report.ledger);
    expect(again.folder).toBe(result.folder);
  });

  it('makes one chunk of five uploads of the same bytes, whatever the order of the events', { timeout: 180_000 }, () =>
    uploadFiveTimesOutOfOrder(machine.home, result.data),
  );
});

async function campaignsOf(home: string): Promise<readonly string[]> {
  return (await viewRelease(await openCloud(home), DEMO_RELEASE)).campaigns;
}
