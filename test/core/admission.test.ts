import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { setCap, spentOf } from '#core/account.ts';
import { type Admission, admitJob } from '#core/admission.ts';
import { decide, requestApproval } from '#core/approval.ts';
import { openCampaign, writeModel } from '#core/campaign-book.ts';
import { deferredJobs, requireNothingDeferred } from '#core/deferral.ts';
import { degradedSteps } from '#core/degrade.ts';
import { degradeProblem, degradeSchema } from '#core/degrade-order.ts';
import { sha256 } from '#core/digest.ts';
import type { BatchPart } from '#core/job.ts';
import { type JobOrder, worstCase } from '#core/job-order.ts';
import { campaignAccount, openLedger, readLedger, settle } from '#core/ledger.ts';
import type { ReleaseSpec } from '#core/release.ts';
import { workKeyOf } from '#core/work.ts';
import { sampleSpec } from '#test/core/sample-release.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const ref = (text: string) => ({ key: `lake/${text}`, sha256: sha256(text), sizeBytes: 1 });
const partsOf = (name: string): BatchPart[] => [{ partId: sha256(`part ${name}`), skinny: ref(name), rows: 1000 }];
const input = { units: 1, rows: 1000, bytes: 2 };
/** What one job holds while it runs, and what it is settled at: a twentieth of it. */
const HELD = worstCase(sampleSpec, { kind: 'estimate', algorithm: 'bpz' }, input);
const USED = Math.floor(HELD.coreSeconds / 20);

/** Twenty jobs' worst cases; each step from another share on. */
const CAP = 20 * HELD.coreSeconds;
const spec: ReleaseSpec = {
  ...sampleSpec,
  campaign: {
    ...sampleSpec.campaign,
    archive: true,
    caps: { microUsd: 1_000_000_000, coreSeconds: CAP },
    priorityTracts: ['4848'],
    degrade: [
      { step: 'withoutArchive', fromShare: 0.3 },
      { step: 'pointEstimates', fromShare: 0.45 },
      { step: 'priorityTracts', fromShare: 0.6 },
      { step: 'defer', fromShare: 0.8 },
    ],
  },
};

let table: MemoryTable;
beforeEach(async () => {
  table = new MemoryTable();
  await openCampaign(table, {
    ...{ campaign: 'c', release: 'dp0', planDigest: sha256('plan'), chunkSetDigest: sha256('chunks'), execution: 'E' },
    ...{ state: 'informing', chunks: 1, quarantinedChunks: 0, rows: 1, parts: 1, stages: {} },
  });
  await openLedger(table, 'c', { ...spec.campaign.caps, egressBytes: 1e15 });
  await writeModel(table, 'c', 'bpz', ref('model'));
  const [planDigest, report] = [sha256('plan'), ref('report')];
  await requestApproval(table, { campaign: 'c', taskToken: 't', planDigest, report, page: report, requestedAt: '' });
  const read = { planDigest, reportDigest: report.sha256 };
  await decide(table, 'c', read, { verdict: 'approved', identity: 'arn:ana', comment: '', at: '' });
});

const ask = (name: string, priority = true, wanted = spec): Promise<Admission> => {
  const about = { campaign: 'c', release: 'dp0', algorithm: 'bpz', batchId: sha256(name), batch: ref(name), priority };
  const order: JobOrder = { kind: 'estimate', ...about };
  return admitJob(table, wanted, order, partsOf(name), NOW);
};
const kept = ({ message }: Admission) =>
  message.kind === 'estimate' ? { archive: message.archive, pdf: message.pdf } : null;
const archived = ({ message }: Admission) => message.kind === 'estimate' && message.archive;

/** What functions/verify-job.ts does at the end of a job. */
async function finish({ workKey }: Admission): Promise<void> {
  const answer = { workKey, result: ref('result'), units: 1, failedUnits: 0, rows: 1000, coreSeconds: USED };
  const row = { workKey, campaign: 'c', algorithm: 'bpz', answer, finishedAt: '', seconds: 1 };
  await table.write([{ kind: 'put', item: { ...workKeyOf(workKey), ...row } }]);
  const actual = { microUsd: 1, coreSeconds: USED, egressBytes: 1 };
  await settle(table, 'c', workKey, { outcome: 'succeeded', failedUnits: 0, at: NOW, facts: null, actual });
}

/** Leases of other jobs, so that this share of the cap is in use. */
async function use(share: number): Promise<void> {
  const before = (await readLedger(table, 'c')).coreSecondsAvailable;
  const jobs = Math.round((share * CAP - (CAP - before)) / HELD.coreSeconds);
  for (let index = 0; index < jobs; index += 1) await ask(`other ${share} ${index}`, true, sampleSpec);
}

describe('a campaign near its cap', () => {
  it('does all of it while there is room, and keeps no record', async () => {
    const admission = await ask('one');

    expect([admission.outcome, archived(admission)]).toEqual(['start', true]);
    expect(await degradedSteps(table, 'c')).toEqual([]);
  });

  it('leaves the archive out first, and says from when on and why', async () => {
    await use(0.3);

    const admission = await ask('one', false);

    expect([admission.outcome, archived(admission)]).toEqual(['start', false]);
    expect(await degradedSteps(table, 'c')).toEqual([
      {
        step: 'withoutArchive',
        reason:
          'withoutArchive: 30.0 % of the cap of coreSeconds is spent or reserved, and the step holds from 30.0 % on',
        at: NOW.toISOString(),
      },
    ]);
  });

  it('then leaves p(z) out altogether, as other work that is as good', async () => {
    await use(0.4);
    const archiveless = await ask('early');
    await use(0.45);

    const [admission, early] = [await ask('one'), await ask('early')];

    expect(kept(admission)).toEqual({ archive: false, pdf: false });
    expect(kept(archiveless)).toEqual({ archive: false, pdf: true });
    expect(early.workKey).not.toBe(archiveless.workKey);
    await finish(archiveless);
    expect(await ask('early')).toMatchObject({ outcome: 'reuse', workKey: archiveless.workKey });
  });

  it('then starts what has a priority tract alone, without pausing it', async () => {
    await use(0.6);

    const [without, priority] = [await ask('without', false), await ask('with', true)];

    expect([without.outcome, priority.outcome]).toEqual(['deferred', 'start']);
    expect((await readLedger(table, 'c')).state).toBe('open');
    expect((await deferredJobs(table, 'c')).map(({ reason }) => reason)).toEqual([
      'priorityTracts: 60.0 % of the cap of coreSeconds is spent or reserved, and the step holds from 60.0 % on',
    ]);
  });

  it('then starts nothing, pauses with the reason when the rest is done, and finishes after a raise without repeating work', async () => {
    await use(0.6);
    const less = await ask('done with less', true);
    await use(0.8);
    const late = await ask('late', true);
    await finish(less);
    const spent = spentOf(await readLedger(table, 'c')).coreSeconds;

    await expect(requireNothingDeferred(table, 'c')).rejects.toMatchObject({ code: 'BUDGET_PAUSED' });
    const paused = await readLedger(table, 'c');
    await setCap(table, campaignAccount('c'), 'coreSeconds', 10 * CAP);
    const [again, resumed] = [await ask('done with less', true), await ask('late', true)];
    await finish(resumed);

    expect(late.outcome).toBe('deferred');
    expect([paused.state, paused.reason]).toEqual(['paused', expect.stringMatching(/^defer: 8\d\.\d % of the cap/)]);
    expect([again.outcome, again.workKey]).toEqual(['reuse', less.workKey]);
    expect([resumed.outcome, archived(resumed)]).toEqual(['start', true]);
    expect(spentOf(await readLedger(table, 'c')).coreSeconds).toBe(spent + USED);
    await expect(requireNothingDeferred(table, 'c')).resolves.toBeUndefined();
  });

  it('declares its steps in their order, each from a larger share on, and with what it needs', () => {
    const step = (name: string, fromShare: number) => ({ step: name, fromShare });
    const { profile } = sampleSpec;
    const campaign = { ...sampleSpec.campaign, degrade: degradeSchema.parse([step('priorityTracts', 0.5)]) };

    expect(degradeSchema.safeParse([step('defer', 0.5), step('priorityTracts', 0.9)]).success).toBe(false);
    expect(degradeSchema.safeParse([step('priorityTracts', 0.9), step('defer', 0.9)]).success).toBe(false);
    expect(degradeProblem(campaign, profile)).toMatch('needs priorityTracts');
    expect(degradeProblem({ ...campaign, priorityTracts: ['1'] }, profile)).toMatch('no tract column');
  });
});
