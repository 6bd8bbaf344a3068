import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { accountFor, kill, readAccount, reservedOf, resumeAccount, setCap, unkill } from '#core/account.ts';
import { type Amount, NOTHING } from '#core/amount.ts';
import { ATTEMPT_PREFIX } from '#core/attempt.ts';
import { sweepLeases } from '#core/lease-sweep.ts';
import { campaignAccount, ledgerKey, openLedger, readLedger, reserve, settle } from '#core/ledger.ts';

const CAPS: Amount = { microUsd: 1000, coreSeconds: 5000, egressBytes: 9000 };
const amount = (microUsd: number, coreSeconds = microUsd, egressBytes = 0): Amount => ({
  microUsd,
  coreSeconds,
  egressBytes,
});
const AT = new Date('2026-01-31T23:00:00Z');
const later = (days: number) => new Date(AT.getTime() + days * 86_400_000);

let table: MemoryTable;
beforeEach(async () => {
  table = new MemoryTable();
  await openLedger(table, 'c', CAPS);
});

const lease = (work: string, wanted: Amount, more = {}) =>
  reserve(table, { campaign: 'c', release: 'r', work, wanted, at: AT, ...more });
const end = (work: string, actual: Amount, more = {}) =>
  settle(table, 'c', work, { outcome: 'succeeded', failedUnits: 0, at: AT, facts: null, actual, ...more });
const attempts = async () => (await table.query('C#c', ATTEMPT_PREFIX)).items;

describe('the ledger', () => {
  it('sets the worst case aside and gives back what was not used', async () => {
    expect(await lease('w', amount(400, 2000, 100))).toEqual({ kind: 'leased' });
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 600, coreSecondsAvailable: 3000 });

    await end('w', amount(100, 700, 50));

    expect(await readLedger(table, 'c')).toMatchObject({
      microUsdAvailable: 900,
      coreSecondsAvailable: 4300,
      egressBytesAvailable: 8950,
      microUsdSpent: 100,
      coreSecondsSpent: 700,
      egressBytesSpent: 50,
    });
  });

  it.each([
    ['micro-dollars', amount(601, 0)],
    ['core-seconds', amount(0, 1001)],
    ['bytes out', amount(0, 0, 9001)],
  ])('refuses what goes beyond the cap of one currency, and says what is left: %s', async (_currency, wanted) => {
    await lease('w', amount(400, 4000));

    const refused = await lease('next', wanted);

    const available = amount(600, 1000, 9000);
    expect(refused).toMatchObject({ kind: 'refused', account: 'campaign', available, wanted, open: true });
    expect((await lease('small', amount(600, 1000, 9000))).kind).toBe('leased');
  });

  it('counts every lease in the release and in its month too, and refuses at the cap of either', async () => {
    await setCap(table, { kind: 'release', name: 'r' }, 'microUsd', 700);
    await setCap(table, { kind: 'month', name: '2026-01' }, 'coreSeconds', 650);
    await lease('w', amount(600));

    expect(await lease('release', amount(101, 1))).toMatchObject({ kind: 'refused', account: 'release' });
    expect(await lease('month', amount(1, 51))).toMatchObject({ kind: 'refused', account: 'month' });
    const next = { campaign: 'c', release: 'r', work: 'next', wanted: amount(1, 51), at: later(1) };
    expect(await reserve(table, next)).toEqual({ kind: 'leased' });
    // Settled in the month that it was taken in.
    await end('w', amount(10), { at: later(3) });
    expect(await readAccount(table, { kind: 'month', name: '2026-01' })).toMatchObject({ microUsdSpent: 10 });
    expect(await readAccount(table, { kind: 'month', name: '2026-02' })).toMatchObject({ microUsdSpent: 0 });
  });

  it('may fit later while other leases may give something back, and not after', async () => {
    await lease('w', amount(900));
    expect(await lease('next', amount(200))).toMatchObject({ mayFitLater: true });
    await end('w', amount(900));
    expect(await lease('next', amount(200))).toMatchObject({ mayFitLater: false });
  });

  it('refuses everything once it is closed, and while the kill switch is on', async () => {
    await kill(table, 'wrong templates', 'arn:someone');
    expect(await lease('w', amount(1))).toMatchObject({ account: 'everything', reason: 'wrong templates' });
    await unkill(table);
    expect((await lease('w', amount(1))).kind).toBe('leased');
    await table.write([{ kind: 'update', key: ledgerKey('c'), set: { state: 'closed' } }]);
    expect(await lease('x', amount(1))).toMatchObject({ kind: 'refused', open: false, mayFitLater: false });
  });

  it('keeps its figures when it is opened again', async () => {
    await lease('w', amount(400));
    await openLedger(table, 'c', amount(9999));
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 600 });
  });

  it('finds the lease of a retry, and settles it once', async () => {
    for (const _attempt of [1, 2, 3]) expect((await lease('w', amount(400))).kind).toBe('leased');
    for (const _attempt of [1, 2, 3]) await end('w', amount(50));
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 950, microUsdSpent: 50 });
  });

  it('takes a new lease for work that is done again, and keeps a row of each attempt', async () => {
    await lease('w', amount(400));
    await end('w', amount(100), { outcome: 'failed', failedUnits: 1 });
    await lease('w', amount(400));
    expect((await readLedger(table, 'c')).microUsdAvailable).toBe(500);
    await end('w', amount(60));

    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 840, microUsdSpent: 160 });
    expect(await attempts()).toMatchObject([
      { attempt: 1, outcome: 'failed', actual: amount(100) },
      { attempt: 2, outcome: 'succeeded', actual: amount(60) },
    ]);
  });

  it('ignores the settlement of what it never leased: work of another campaign that is used again', async () => {
    await end('stranger', amount(100));
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 1000, microUsdSpent: 0 });
  });

  it('counts what was used beyond the lease, and then reserves nothing more', async () => {
    await lease('w', amount(900));
    await end('w', amount(1100));
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: -100, microUsdSpent: 1100 });
    expect((await lease('next', amount(0, 1))).kind).toBe('refused');
  });

  it('charges an expired lease at its worst case until it is proven lower', async () => {
    await lease('w', amount(900));
    expect(await sweepLeases(table, 'c', later(30))).toBe(0);
    expect(await sweepLeases(table, 'c', later(32))).toBe(1);
    expect(await sweepLeases(table, 'c', later(33))).toBe(0);
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 100, microUsdSpent: 900 });
    expect((await lease('w', amount(900))).kind).toBe('leased');

    await end('w', amount(30), { at: later(40) });

    const ledger = await readLedger(table, 'c');
    expect(ledger).toMatchObject({ microUsdAvailable: 970, microUsdSpent: 30 });
    expect(reservedOf(ledger)).toEqual(NOTHING);
    expect(await attempts()).toMatchObject([{ attempt: 1, outcome: 'succeeded', actual: amount(30) }]);
  });
});

describe('a cap', () => {
  it('opens a paused campaign again when it is raised, and cannot go below what is used', async () => {
    await lease('w', amount(900));
    await table.write([{ kind: 'update', key: ledgerKey('c'), set: { state: 'paused', reason: 'the cap' } }]);

    await expect(setCap(table, campaignAccount('c'), 'microUsd', 899)).rejects.toMatchObject({
      code: 'CAP_BELOW_SPENT',
    });
    const raised = await setCap(table, campaignAccount('c'), 'microUsd', 2000);

    expect(raised).toMatchObject({ microUsdCap: 2000, microUsdAvailable: 1100, state: 'open', reason: null });
  });

  it('is none on a release or a month that nobody capped', async () => {
    await lease('w', amount(900));
    expect((await accountFor(table, { kind: 'month', name: '2026-01' })).microUsdCap).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('a breaker', () => {
  const breakers = { afterJobs: 2, overEstimate: 2, failedShare: 0.4, coreSecondsPerHour: 1000 };
  const cases = [
    ['costs more than twice what was expected', amount(10, 21), 0, /estimate: 42 coreSeconds for 2 jobs/],
    ['fails too often', amount(10, 10), 1, /errors: 2 of 2 units failed/],
    ['burns too fast', amount(10, 600), 0, /burn rate: 1200 core-seconds in this hour/],
  ] as const;
  it.each(cases)('pauses a campaign that %s, with the reason', async (_what, actual, failedUnits, reason) => {
    const more = { breakers, expected: amount(10, 10) };
    for (const work of ['a', 'b']) {
      expect((await lease(work, amount(10, 10), more)).kind).toBe('leased');
      await end(work, actual, { failedUnits });
    }

    expect(await lease('c', amount(1), more)).toMatchObject({ kind: 'refused', open: false });
    expect((await readLedger(table, 'c')).reason).toMatch(reason);
    if (failedUnits === 0 && actual.coreSeconds > 100) return;
    await resumeAccount(table, campaignAccount('c'));
    expect((await lease('c', amount(1), more)).kind).toBe('leased');
  });
});
