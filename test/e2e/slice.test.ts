import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openCloud } from '#cli/context.ts';
import { viewRelease } from '#cli/operations/look.ts';
import { campaignPartition } from '#core/campaign.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { LEASE_PREFIX } from '#core/lease.ts';
import { scan } from '#core/table.ts';
import { cloudStatus } from '#local/cloud.ts';
import { findProcess } from '#local/cloud-process.ts';
import { DEMO_RELEASE, type DemoResult, runDemo } from '#local/demo.ts';
import { resumeSite, siteFiles } from '#local/site.ts';
import { uploadAtOnce } from '#test/e2e/at-once.ts';
import { expectEachPartOnce, expectPlainRail, expectWholeTable } from '#test/e2e/delivered.ts';
import { DemoHome, log, pythonHome } from '#test/e2e/demo-home.ts';
import { addFurtherPlaces, expectFurtherPlaces } from '#test/e2e/further-places.ts';
import { attemptsOf, type Exhausted, leaveRoomForOneJob, raiseAndResume } from '#test/e2e/half-budget.ts';
import { type Interrupted, interruptStart } from '#test/e2e/interrupted-start.ts';
import { uploadFiveTimesOutOfOrder } from '#test/e2e/uploads.ts';
import { ponte, ponteJson } from '#test/e2e/verbs.ts';
import { prepareCheckers } from '#test/python/checkers.ts';

const WHOLE_WAY_MS = 15 * 60 * 1000;

/** The whole way through the built-in scheduler; the agent is killed twice in the middle of the estimate stage. */
describe('from an upload to a federated table, with the agent killed on the way', () => {
  let machine: DemoHome;
  let result: DemoResult;
  let interrupted: Interrupted;
  let kills = 0;
  let exhausted: Exhausted | undefined;

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
    interrupted = await interruptStart(machine.home, /still informing/);
    const onState = async (state: string) => {
      const [campaign = ''] = await campaignsOf(machine.home);
      if (state === 'approval' && !exhausted) await addFurtherPlaces(machine.home, campaign);
      if (state === 'approval' && !exhausted) await leaveRoomForOneJob(machine.home, campaign);
      if (state === 'estimating' && kills === 0) await breakThings();
      if (state === 'paused') exhausted = await raiseAndResume(machine.home, campaign, 1_000_000);
    };
    result = await runDemo({ home: machine.home, pythonHome, log, scheduler: 'local', onState });
  }, WHOLE_WAY_MS);

  afterAll(() => machine?.remove(), 120_000);

  it('leaves nothing running after Ctrl-C, and goes on from there', () => {
    expect(interrupted).toEqual({ status: 130, left: [] });
    expect(result.report.campaign.state).toBe('delivered');
  });

  it('delivers every row once, less exactly those of the damaged chunk', { timeout: 240_000 }, async () => {
    expect(kills).toBe(2);
    await expectWholeTable(result);
  });

  it('brings it to a second place, whatever becomes of a third, which is retried', { timeout: 180_000 }, () =>
    expectFurtherPlaces(machine.home),
  );

  it('estimates every part once with every algorithm, and keeps the books even', { timeout: 60_000 }, () =>
    expectEachPartOnce(machine.home, result),
  );

  it('stops below its cap, says what is not done, and finishes after a raise without repeating work', async () => {
    const attempts = await attemptsOf(machine.home, result.report.campaign.campaign);
    const estimates = attempts.filter(({ facts }) => facts?.kind === 'estimate').length;

    expect(exhausted?.spentMicroUsd).toBeLessThanOrEqual(exhausted?.capMicroUsd ?? 0);
    expect(exhausted?.heldMicroUsd).toBe(0);
    expect(exhausted?.failure).toMatch(/put off|leaves/);
    expect(exhausted?.estimatesDone).toBe(1);
    expect(exhausted?.jobsPutOff).toBe(estimates - 1);
    expect(attempts.map(({ attempt, outcome }) => [attempt, outcome])).toEqual(attempts.map(() => [1, 'succeeded']));
    expect(new Set(attempts.map(({ work }) => work)).size).toBe(attempts.length);
  });

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

  it('tells the operator the same through every verb', { timeout: 60_000 }, async () => {
    const { home } = machine;
    const chunks = await ponteJson(
      z.object({ chunks: z.array(z.object({ state: z.string() })) }),
      home,
      'chunks',
      DEMO_RELEASE,
    );
    const watch = await ponteJson(
      z.object({ campaign: z.object({ state: z.string() }) }),
      home,
      'campaign',
      'watch',
      DEMO_RELEASE,
    );
    const report = await ponteJson(
      z.object({ rows: z.object({ delivered: z.int() }) }),
      home,
      'campaign',
      'report',
      DEMO_RELEASE,
    );
    const listed = await ponteJson(
      z.object({ deliveries: z.array(z.object({ delivery: z.string() })) }),
      home,
      'deliveries',
    );
    const folder = join(home, 'fetched');
    const fetched = await ponteJson(
      z.object({ files: z.int() }),
      home,
      'fetch',
      listed.deliveries[0]?.delivery ?? '',
      folder,
    );
    const counts = z.object({ files: z.int(), without: z.int() });
    const archive = await ponteJson(counts, home, 'archive', DEMO_RELEASE, join(home, 'archive'));
    const again = join(home, 'packed-again');
    const packed = await ponteJson(
      z.object({ files: z.int(), cloudBytes: z.int(), hereBytes: z.int() }),
      ...[home, 'pack', DEMO_RELEASE, again, '--kept', siteFiles(home).kept],
    );
    const verdict = z.object({ sound: z.boolean(), rows: z.int() });
    const verified = await ponteJson(verdict, home, 'verify', folder);
    const verifiedAgain = await ponteJson(verdict, home, 'verify', again);
    const late = await ponte(home, 'approve', DEMO_RELEASE, '--report', 'ffffffff');

    expect(chunks.chunks.filter((chunk) => chunk.state === 'delivered')).toHaveLength(5);
    expect(watch.campaign.state).toBe('delivered');
    expect(report.rows.delivered).toBe(result.report.rows.delivered);
    expect(fetched.files).toBeGreaterThan(result.report.campaign.catalogue?.partitions ?? 0);
    expect(archive).toEqual({ files: 2 * result.report.campaign.parts, without: 0 });
    expect(verified).toMatchObject({ sound: true, rows: result.report.rows.delivered });
    expect(packed).toMatchObject({ files: fetched.files, cloudBytes: 0 });
    expect(packed.hereBytes).toBeGreaterThan(0);
    expect(verifiedAgain).toEqual(verified);
    expect(await readFile(join(again, MANIFEST))).toEqual(await readFile(join(folder, MANIFEST)));
    expect(late.status).toBe(1);
    expect(late.stderr).toContain('not ffffffff');
  });

  it('makes one chunk of five uploads of the same bytes, whatever the order of the events', { timeout: 180_000 }, () =>
    uploadFiveTimesOutOfOrder(machine.home, result.data),
  );

  it('records each of forty chunks once that come at the same time', { timeout: 300_000 }, async () => {
    const folder = join(machine.home, 'at-once');
    const cloud = await openCloud(machine.home);
    const { chunks } = await uploadAtOnce(cloud, { release: 'at-once', folder, count: 40, say: log });

    expect(new Set(chunks.map(({ name }) => name)).size).toBe(40);
    expect(chunks.map(({ state, rows }) => [state, rows])).toEqual(Array(40).fill(['skinny', 200]));
  });
});

async function campaignsOf(home: string): Promise<readonly string[]> {
  return (await viewRelease(await openCloud(home), DEMO_RELEASE)).campaigns;
}
