import { expect } from 'vitest';
import {
  type ACCOUNTS,
  type AccountName,
  accountFor,
  availableOf,
  capOf,
  monthOf,
  reservedOf,
  setCap,
  spentOf,
} from '#core/account.ts';
import { type Amount, amountOf, CURRENCIES, NOTHING } from '#core/amount.ts';
import { ATTEMPT_PREFIX, type AttemptRow, attemptRowSchema } from '#core/attempt.ts';
import { campaignPartition } from '#core/campaign.ts';
import { sweepLeases } from '#core/lease-sweep.ts';
import { openLedger, reserve, settle } from '#core/ledger.ts';
import { scan, type Table } from '#core/table.ts';

const RESERVERS = 64;
/** Fewer than reservers, so that many ask for the same. */
const WORKS = 48;
const LARGEST = 1000;

/** Mulberry32: one stream of numbers in [0, 1) for one seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface Round {
  readonly leased: number;
  readonly refused: number;
}

/**
 * One round: 64 at once ask for random sizes against caps that hold about half of them, ask twice, die, fail, settle
 * twice. After every step nothing is over a cap; at the end, with the dead ones' leases swept, nothing is left held and
 * the accounts are the sums of the attempts.
 */
export async function reserveAtOnce(table: Table, id: string, random: () => number): Promise<Round> {
  const at = new Date('2026-03-01T00:00:00Z');
  const names: Record<(typeof ACCOUNTS)[number], string> = { campaign: id, release: `r-${id}`, month: monthOf(at) };
  const campaign: AccountName = { kind: 'campaign', name: id };
  const release: AccountName = { kind: 'release', name: names.release };
  const sizes = Array.from({ length: WORKS }, () => amountOf(() => 1 + Math.floor(random() * LARGEST)));
  const share = 0.3 + 0.4 * random();
  const sum = (currency: keyof Amount) => sizes.reduce((total, size) => total + size[currency], 0);
  await openLedger(
    table,
    id,
    amountOf((currency) => Math.floor(share * sum(currency))),
  );
  if (random() < 0.5) await setCap(table, release, 'microUsd', Math.floor(0.9 * share * sum('microUsd')));

  const check = async () => {
    for (const name of [campaign, release]) {
      const row = await accountFor(table, name);
      for (const currency of CURRENCIES) {
        const over = spentOf(row)[currency] + reservedOf(row)[currency] - capOf(row)[currency];
        if (over > 0 || reservedOf(row)[currency] < 0) throw new Error(`${name.name}: over by ${over} ${currency}`);
      }
    }
  };
  let [leased, refused] = [0, 0];
  const one = async (plan: { work: number; twice: boolean; end: number; share: number }) => {
    const work = `w${plan.work}`;
    const wanted = sizes[plan.work] ?? NOTHING;
    const request = { campaign: id, release: names.release, work, wanted, at };
    const first = reserve(table, request);
    const answers = await Promise.all(plan.twice ? [first, reserve(table, request)] : [first]);
    await check();
    if (!answers.some((answer) => answer.kind === 'leased')) {
      refused += 1;
      return;
    }
    leased += 1;
    // A quarter dies and never settles.
    if (plan.end < 0.25) return;
    const actual = amountOf((currency) => Math.floor(wanted[currency] * plan.share));
    const outcome = plan.end < 0.5 ? 'failed' : 'succeeded';
    const settled = { outcome, actual, failedUnits: plan.end < 0.5 ? 1 : 0, at, facts: null } as const;
    await Promise.all([settle(table, id, work, settled), ...(plan.twice ? [settle(table, id, work, settled)] : [])]);
    await check();
  };
  const plans = Array.from({ length: RESERVERS }, () => ({
    work: Math.floor(random() * WORKS),
    twice: random() < 0.3,
    end: random(),
    share: random(),
  }));
  await Promise.all(plans.map(one));

  await sweepLeases(table, id, new Date('2026-05-01T00:00:00Z'));
  await check();
  const attempts: AttemptRow[] = [];
  for await (const row of scan(table, campaignPartition(id), ATTEMPT_PREFIX))
    attempts.push(attemptRowSchema.parse(row));
  for (const name of [campaign, release]) {
    const row = await accountFor(table, name);
    expect(reservedOf(row)).toEqual(NOTHING);
    expect(spentOf(row)).toEqual(
      amountOf((currency) => attempts.reduce((total, { actual }) => total + actual[currency], 0)),
    );
    expect(availableOf(row)).toEqual(amountOf((currency) => capOf(row)[currency] - spentOf(row)[currency]));
  }
  return { leased, refused };
}
