import { expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { withoutGaps } from '#core/amount.ts';
import { jobFacts } from '#core/job-order.ts';
import { openLedger, reserve, settle } from '#core/ledger.ts';
import { estimateJobs } from '#core/plan/estimate.ts';
import { forecast } from '#core/plan/forecast.ts';
import type { ReleaseSpec } from '#core/release.ts';
import { sampleSpec } from '#test/core/sample-release.ts';

const AT = new Date('2026-01-31T23:00:00Z');
const job = { kind: 'estimate', algorithm: 'bpz' } as const;
const input = { units: 2, rows: 2000, bytes: 500 };
const jobs = Array.from({ length: 40 }, () => input);

/** Jobs of 2,000 rows that took 1 s per 100 rows and a little more or less. */
async function work(table: MemoryTable, campaign: string, count: number, spec: ReleaseSpec = sampleSpec, rows = 2000) {
  await openLedger(table, campaign, withoutGaps({}));
  for (let index = 0; index < count; index += 1) {
    const facts = jobFacts(spec, job, { ...input, rows });
    const wanted = { microUsd: 10, coreSeconds: 1000, egressBytes: 0 };
    const id = `${campaign}-${index}-${rows}`;
    await reserve(table, { campaign, release: 'dp0', work: id, wanted, at: AT, facts });
    const actual = { microUsd: 1, coreSeconds: rows / 100 + (index % 3) - 1, egressBytes: 0 };
    await settle(table, campaign, id, { outcome: 'succeeded', failedUnits: 0, at: AT, facts: null, actual });
  }
}

it('assumes up to the worst case before anything was measured', async () => {
  const estimate = await estimateJobs(new MemoryTable(), sampleSpec, job, jobs, 'c');

  expect(estimate).toMatchObject({ basis: 'ASSUMED', samples: 0, egressBytes: { mean: 40 * 500, high: 40 * 500 } });
  // 120 s to start and 2 s per thousand rows; the worst case is five times as slow, three times over.
  expect(estimate.coreSeconds).toEqual({ mean: 40 * 124, low: 0, high: 40 * 3 * 140 });
});

it('measures by attempts of other campaigns, else takes its own first jobs for a pilot', async () => {
  const table = new MemoryTable();
  await work(table, 'c', 6);
  const pilot = await estimateJobs(table, sampleSpec, job, jobs, 'c');
  expect(pilot).toMatchObject({ basis: 'PILOT', samples: 6 });
  await work(table, 'before', 9);

  const measured = await estimateJobs(table, sampleSpec, job, jobs, 'c');

  expect(measured).toMatchObject({ basis: 'MEASURED', samples: 9 });
  expect(measured.coreSeconds.mean).toBeCloseTo(40 * 20, 0);
  expect(measured.coreSeconds.low).toBeGreaterThan(750);
  expect(measured.coreSeconds.high).toBeLessThan(850);
});

it('takes nothing from another code version, nor from parts of another size', async () => {
  const table = new MemoryTable();
  const { bpz, knn } = sampleSpec.algorithms;
  if (!bpz || !knn) throw new Error('the sample has both');
  await work(table, 'older', 9, {
    ...sampleSpec,
    algorithms: { bpz: { ...bpz, configurationDigest: knn.configurationDigest } },
  });
  await work(table, 'large', 9, sampleSpec, 20_000);

  expect((await estimateJobs(table, sampleSpec, job, jobs, 'c')).basis).toBe('ASSUMED');
});

it('forecasts every row once, in whole batches, with the three currencies apart', async () => {
  const site = { name: 's', version: 1, title: 'S', tasksAtOnce: 100, source: 'test' };

  const found = await forecast(null, sampleSpec, { objects: 20_000_000_001, site });

  expect(found.chunks).toBe(153_847);
  const [bpz] = found.algorithms;
  expect(bpz?.egressBytes.mean).toBe(20_000_000_001 * 46);
  const seconds = 3077 * 120 + 20_000_000.001 * 2;
  expect(Math.abs((bpz?.coreSeconds.mean ?? 0) / seconds - 1)).toBeLessThan(1e-4);
  expect(bpz?.wallSeconds.mean).toBeCloseTo((bpz?.coreSeconds.mean ?? 0) / 100);
  expect(found.egressMicroUsd).toBeCloseTo((2 * 20_000_000_001 * 46 * 90_000) / 1e9, 0);
});
