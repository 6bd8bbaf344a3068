import { expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { type Amount, withoutGaps } from '#core/amount.ts';
import { sha256 } from '#core/digest.ts';
import { jobFacts } from '#core/job-order.ts';
import { openLedger, readLedger, reserve, settle } from '#core/ledger.ts';
import { noteReuse, spendingOf } from '#core/plan/spending.ts';
import type { WorkRow } from '#core/work.ts';
import { sampleSpec } from '#test/core/sample-release.ts';

const AT = new Date('2026-01-31T23:00:00Z');
const amount = (microUsd: number, coreSeconds: number): Amount => ({ microUsd, coreSeconds, egressBytes: 0 });

it('sets expected against actual per stage, and every spent unit to one outcome', async () => {
  const table = new MemoryTable();
  await openLedger(table, 'c', withoutGaps({}));
  const facts = jobFacts(sampleSpec, { kind: 'estimate', algorithm: 'bpz' }, { units: 4, rows: 4000, bytes: 0 });
  const end = async (work: string, actual: Amount, outcome: 'succeeded' | 'failed' | 'expired', failedUnits = 0) => {
    const request = { campaign: 'c', release: 'r', work, wanted: amount(10, 100), expected: amount(4, 50), facts };
    await reserve(table, { ...request, at: AT });
    await settle(table, 'c', work, { outcome, failedUnits, at: AT, facts: null, actual });
  };
  await end('good', amount(4, 40), 'succeeded');
  await end('half', amount(4, 60), 'failed', 2);
  await end('lost', amount(10, 100), 'expired');

  const { stages, byOutcome } = await spendingOf(table, 'c');

  expect(stages).toEqual([
    {
      ...{ kind: 'estimate', algorithm: 'bpz', attempts: 3, inside: true },
      ...{ expected: amount(12, 150), reserved: amount(30, 300), actual: amount(18, 200) },
    },
  ]);
  expect(byOutcome).toEqual({ succeeded: amount(6, 70), failed: amount(2, 30), expired: amount(10, 100) });
  const { microUsdSpent, coreSecondsSpent } = await readLedger(table, 'c');
  expect([microUsdSpent, coreSecondsSpent]).toEqual([18, 200]);

  await end('slow', amount(4, 500), 'succeeded');
  expect((await spendingOf(table, 'c')).stages[0]?.inside).toBe(false);
});

it('counts what other campaigns had paid for once, and its own finished work not at all', async () => {
  const table = new MemoryTable();
  const workKey = sha256('work');
  const result = { key: 'work/result.json', sha256: sha256('result'), sizeBytes: 1 };
  const answer = { workKey, result, units: 3, failedUnits: 0, rows: 10, coreSeconds: 7 };
  const row: WorkRow = { workKey, campaign: 'before', algorithm: 'bpz', answer, finishedAt: '', seconds: 1 };

  await noteReuse(table, 'c', row);
  await noteReuse(table, 'c', row);
  await noteReuse(table, 'before', row);

  expect((await spendingOf(table, 'c')).reused).toEqual({ jobs: 1, units: 3, coreSeconds: 7 });
  expect((await spendingOf(table, 'before')).reused.jobs).toBe(0);
});
