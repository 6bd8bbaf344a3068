import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { type Amount, ledgerKey, openLedger, readLedger, reserve, settle } from '#core/ledger.ts';
import { Stepping, steppingTable } from '#test/core/stepping.ts';

const CAPS: Amount = { microUsd: 1000, coreSeconds: 5000 };
const amount = (microUsd: number, coreSeconds = microUsd): Amount => ({ microUsd, coreSeconds });

let table: MemoryTable;
beforeEach(async () => {
  table = new MemoryTable();
  await openLedger(table, 'c', CAPS);
});

describe('the ledger', () => {
  it('sets the worst case aside and gives back what was not used', async () => {
    expect(await reserve(table, 'c', 'w', amount(400, 2000))).toEqual({ kind: 'leased' });
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 600, coreSecondsAvailable: 3000 });

    await settle(table, 'c', 'w', amount(100, 700));

    expect(await readLedger(table, 'c')).toMatchObject({
      microUsdAvailable: 900,
      coreSecondsAvailable: 4300,
      microUsdSpent: 100,
      coreSecondsSpent: 700,
    });
  });

  it('refuses what goes beyond either of the two caps, and says what is left', async () => {
    await reserve(table, 'c', 'w', amount(400, 4000));

    const refused = await reserve(table, 'c', 'next', amount(10, 1001));

    expect(refused).toEqual({ kind: 'refused', available: amount(600, 1000), wanted: amount(10, 1001), open: true });
    expect((await reserve(table, 'c', 'small', amount(600, 1000))).kind).toBe('leased');
    expect((await reserve(table, 'c', 'last', amount(1, 0))).kind).toBe('refused');
  });

  it('refuses everything once it is closed', async () => {
    await table.write([{ kind: 'update', key: ledgerKey('c'), set: { state: 'closed' } }]);

    expect(await reserve(table, 'c', 'w', amount(1))).toMatchObject({ kind: 'refused', open: false });
  });

  it('keeps its figures when it is opened again', async () => {
    await reserve(table, 'c', 'w', amount(400));

    await openLedger(table, 'c', amount(9999));

    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 600 });
  });

  it('finds the lease of a retry, and settles it once', async () => {
    for (const _attempt of [1, 2, 3]) expect((await reserve(table, 'c', 'w', amount(400))).kind).toBe('leased');
    for (const _attempt of [1, 2, 3]) await settle(table, 'c', 'w', amount(50));

    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 950, microUsdSpent: 50 });
  });

  it('takes a new lease for work that is done again', async () => {
    await reserve(table, 'c', 'w', amount(400));
    await settle(table, 'c', 'w', amount(100));

    await reserve(table, 'c', 'w', amount(400));
    const during = await readLedger(table, 'c');
    await settle(table, 'c', 'w', amount(60));

    expect(during.microUsdAvailable).toBe(500);
    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 840, microUsdSpent: 160 });
    await reserve(table, 'c', 'other', amount(840));
    expect((await reserve(table, 'c', 'w', amount(400))).kind).toBe('refused');
  });

  it('ignores the settlement of what it never leased: work of another campaign that is used again', async () => {
    await settle(table, 'c', 'stranger', amount(100));

    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: 1000, microUsdSpent: 0 });
  });

  it('counts what was used beyond the lease, and then reserves nothing more', async () => {
    await reserve(table, 'c', 'w', amount(900));

    await settle(table, 'c', 'w', amount(1100));

    expect(await readLedger(table, 'c')).toMatchObject({ microUsdAvailable: -100, microUsdSpent: 1100 });
    expect((await reserve(table, 'c', 'next', amount(0, 1))).kind).toBe('refused');
  });
});

it('whatever comes when: never less than nothing available, the sums are the caps, and all leases come back', async () => {
  const job = fc.record({
    work: fc.integer({ min: 0, max: 5 }).map((number) => `w${number}`),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    repeats: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(job, { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(100), { maxLength: 200 }),
      async (jobs, order) => {
        const books = new MemoryTable();
        await openLedger(books, 'c', CAPS);
        const stepping = new Stepping();
        // As a campaign does it: reserve, maybe twice; work; settle, maybe twice. The same work again may come any time.
        for (const { work, share, repeats } of jobs) {
          const wanted = amount(50 * (1 + Number(work.slice(1))), 300);
          const used = amount(Math.floor(wanted.microUsd * share), Math.floor(wanted.coreSeconds * share));
          stepping.start(async (step) => {
            const own = steppingTable(books, step);
            let leased = false;
            for (let again = 0; again < repeats; again += 1)
              leased = (await reserve(own, 'c', work, wanted)).kind === 'leased';
            await step();
            for (let again = 0; leased && again < repeats; again += 1) await settle(own, 'c', work, used);
          });
        }
        for (let at = 0; stepping.waiting > 0; at += 1) {
          await stepping.advance(order[at] ?? 0);
          await checkSums(books);
        }

        for (const { work } of jobs) await settle(books, 'c', work, amount(0));
        const end = await readLedger(books, 'c');
        expect(end.microUsdAvailable + end.microUsdSpent).toBe(CAPS.microUsd);
        expect(end.coreSecondsAvailable + end.coreSecondsSpent).toBe(CAPS.coreSeconds);
      },
    ),
    { numRuns: 500 },
  );
});

async function checkSums(books: MemoryTable): Promise<void> {
  const ledger = await readLedger(books, 'c');
  expect(ledger.microUsdAvailable).toBeGreaterThanOrEqual(0);
  expect(ledger.coreSecondsAvailable).toBeGreaterThanOrEqual(0);
  const held = { microUsd: 0, coreSeconds: 0 };
  const leases = await books.query('C#c', 'L#');
  for (const { state, microUsd, coreSeconds } of leases.items) {
    if (state !== 'held') continue;
    held.microUsd += Number(microUsd);
    held.coreSeconds += Number(coreSeconds);
  }
  expect(ledger.microUsdAvailable + ledger.microUsdSpent + held.microUsd).toBe(CAPS.microUsd);
  expect(ledger.coreSecondsAvailable + ledger.coreSecondsSpent + held.coreSeconds).toBe(CAPS.coreSeconds);
}
