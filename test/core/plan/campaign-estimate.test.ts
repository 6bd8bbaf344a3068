import { expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { amountOf, withoutGaps } from '#core/amount.ts';
import { assumedCase, type JobInput, jobFacts } from '#core/job-order.ts';
import { openLedger, reserve, settle } from '#core/ledger.ts';
import { compareStages, estimateCampaign, keepEstimate, readEstimate } from '#core/plan/campaign-estimate.ts';
import { spendingOf } from '#core/plan/spending.ts';
import { registerSample, sampleSpec } from '#test/core/sample-release.ts';

const AT = new Date('2026-01-01T00:00:00Z');

it('is kept as the campaign began, and compared per stage in each of three currencies, and by site', async () => {
  const table = new MemoryTable();
  await registerSample(table);
  await openLedger(table, 'c', withoutGaps({}));
  const { stages } = await estimateCampaign(table, sampleSpec, 'c');
  await keepEstimate(table, 'c', stages, AT);
  await keepEstimate(table, 'c', [], AT);
  const job = async (kind: 'inform' | 'validate', algorithm: string, coreSeconds: number, egressBytes: number) => {
    const input: JobInput = { units: 1, rows: 0, bytes: egressBytes };
    const facts = jobFacts(sampleSpec, { kind, algorithm }, input);
    const expected = assumedCase(sampleSpec, { kind, algorithm }, input);
    const work = `${kind} ${algorithm}`;
    await reserve(table, { campaign: 'c', release: 'dp0', work, wanted: amountOf(() => 1e6), at: AT, facts, expected });
    const actual = { microUsd: expected.microUsd, coreSeconds, egressBytes };
    await settle(table, 'c', work, {
      outcome: 'succeeded',
      failedUnits: 0,
      at: AT,
      facts: null,
      actual,
      site: 'apollo',
    });
  };
  await job('inform', 'bpz', 100, 1);
  await job('validate', 'bpz', 1_000_000, 1001);

  const spending = await spendingOf(table, 'c');
  const compared = compareStages(await readEstimate(table, 'c'), spending.stages);

  const hits = Object.fromEntries(
    compared.map((each) => [`${each.kind} ${each.algorithm} ${each.currency}`, each.hit]),
  );
  expect(Object.keys(hits)).toHaveLength(12);
  expect(hits).toMatchObject({
    'inform bpz microUsd': true,
    'inform bpz coreSeconds': true,
    'inform bpz egressBytes': true,
    'validate bpz microUsd': true,
    // Far beyond the worst case.
    'validate bpz coreSeconds': false,
    // The training set, and a model whose size nobody knew.
    'validate bpz egressBytes': true,
    // Not run.
    'inform knn microUsd': false,
  });
  expect(spending.bySite).toEqual({ apollo: 1_000_100 });
});
