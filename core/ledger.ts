import { z } from 'zod';
import {
  ACCOUNTS,
  type AccountKind,
  type AccountName,
  type AccountRow,
  accountFor,
  accountKey,
  availableOf,
  columns,
  monthOf,
  NOT_KILLED,
  openAccount,
  pauseAccount,
  readAccount,
  readKill,
  reservedOf,
} from '#core/account.ts';
import { type Amount, amountOf, CURRENCIES } from '#core/amount.ts';
import { type AttemptRow, attemptItems, type JobFacts, type Settled } from '#core/attempt.ts';
import { type Breakers, tripped } from '#core/breaker.ts';
import { campaignPartition } from '#core/campaign.ts';
import { InvariantError } from '#core/errors.ts';
import { exactly, expiryOf, type LeaseRow, leaseKey, readLease, worstOf } from '#core/lease.ts';
import { equals, type Key, ROW_IS_NEW, type Table } from '#core/table.ts';

export type Reservation =
  | { readonly kind: 'leased' }
  /** One of the accounts leaves less than the worst case of this work, or takes nothing at all. */
  | {
      readonly kind: 'refused';
      readonly account: AccountKind | 'everything';
      readonly available: Amount;
      readonly wanted: Amount;
      /** False: paused, closed or killed; nothing fits, however small. */
      readonly open: boolean;
      /** Leases that are still held may give something back. */
      readonly mayFitLater: boolean;
      readonly reason: string | null;
    };

/** A piece of work that asks for its worst case. */
export interface Request {
  readonly campaign: string;
  readonly release: string;
  readonly work: string;
  readonly wanted: Amount;
  readonly at: Date;
  /** What the work is, for its row in the history. */
  readonly facts?: JobFacts;
  /** What it will probably use, for the breaker. */
  readonly expected?: Amount;
  readonly breakers?: Breakers;
}

export const campaignAccount = (name: string): AccountName => ({ kind: 'campaign', name });
export const ledgerKey = (campaign: string): Key => accountKey(campaignAccount(campaign));
/** Core-seconds settled in one clock hour. */
const hourKey = (campaign: string, at: Date): Key => ({
  pk: campaignPartition(campaign),
  sk: `H#${at.toISOString().slice(0, 13)}`,
});

/** Opens a campaign's ledger with its caps; opening it again changes nothing. */
export const openLedger = (table: Table, campaign: string, caps: Amount) =>
  openAccount(table, campaignAccount(campaign), caps);

export async function readLedger(table: Table, campaign: string): Promise<AccountRow> {
  const row = await readAccount(table, campaignAccount(campaign));
  if (row) return row;
  throw new InvariantError(`the campaign ${campaign} has no ledger`, {
    code: 'LEDGER_MISSING',
    hint: 'Its plan opens it; look at the campaign with ponte campaign watch.',
  });
}

const accountNames = ({ campaign, release, month }: Pick<LeaseRow, AccountKind>): readonly AccountName[] =>
  ACCOUNTS.map((kind) => ({ kind, name: { campaign, release, month }[kind] }));

/**
 * Reserves the worst case of a piece of work before it starts, in every account and with the lease, in one transaction.
 * No lease, no start.
 *
 * An account stores what is available, because a condition can compare but not add: of two that race for the last
 * dollar, one finds `available >= wanted` no longer true. The lease row makes a retry find its own lease; work that
 * was settled and is done again, because parts of it had failed, takes a new one as its next attempt.
 */
export async function reserve(table: Table, request: Request): Promise<Reservation> {
  const { campaign, release, work, wanted, at } = request;
  const key = leaseKey(campaign, work);
  const before = await readLease(table, key);
  if (before && before.state !== 'settled') return { kind: 'leased' };
  const names = accountNames({ campaign, release, month: monthOf(at) });
  for (const name of names) if (name.kind !== 'campaign') await accountFor(table, name);
  await breakCircuit(table, request);
  const lease: LeaseRow = {
    ...wanted,
    state: 'held',
    attempt: (before?.attempt ?? 0) + 1,
    campaign,
    release,
    month: monthOf(at),
    at: at.toISOString(),
    expiresAt: expiryOf(at),
    facts: request.facts ?? null,
    expected: request.expected ?? null,
  };
  const outcome = await table.write([
    { kind: 'put', item: { ...key, ...lease }, when: before ? exactly(before) : [ROW_IS_NEW] },
    NOT_KILLED,
    ...names.map((name) => ({
      kind: 'update' as const,
      key: accountKey(name),
      add: columns(
        'Available',
        amountOf((currency) => -wanted[currency]),
      ),
      when: [
        equals('state', 'open'),
        ...CURRENCIES.map((currency) => ({
          kind: 'atLeast' as const,
          attribute: `${currency}Available`,
          value: wanted[currency],
        })),
      ],
    })),
  ]);
  // Position 0 is the lease: another attempt of the same work has just taken it.
  if (outcome.written || outcome.refused.includes(0)) return { kind: 'leased' };
  return whyRefused(table, request, names, outcome.refused);
}

/** Pauses the campaign when a breaker trips; the reservation that follows then finds it paused. */
async function breakCircuit(table: Table, { campaign, breakers, at }: Request): Promise<void> {
  if (!breakers) return;
  const hour = z.object({ coreSeconds: z.int() }).safeParse(await table.get(hourKey(campaign, at)));
  const reason = tripped(await readLedger(table, campaign), breakers, hour.data?.coreSeconds ?? 0);
  if (reason) await pauseAccount(table, campaignAccount(campaign), reason);
}

/** @param refused positions in the transaction of `reserve`: 0 the lease, 1 the kill switch, then the accounts */
async function whyRefused(
  table: Table,
  { wanted }: Request,
  names: readonly AccountName[],
  refused: readonly number[],
): Promise<Reservation> {
  const [name] = names.filter((_, index) => refused.includes(index + 2));
  if (refused.includes(1) || !name) {
    const reason = (await readKill(table))?.reason ?? null;
    const shared = { account: 'everything' as const, available: amountOf(() => 0), wanted, open: false };
    return { kind: 'refused', ...shared, mayFitLater: false, reason };
  }
  const row = await accountFor(table, name);
  const open = row.state === 'open';
  const reserved = reservedOf(row);
  return {
    kind: 'refused',
    account: name.kind,
    available: availableOf(row),
    wanted,
    open,
    mayFitLater: open && CURRENCIES.some((currency) => reserved[currency] > 0),
    reason: row.reason,
  };
}

/**
 * Replaces a lease by what was measured, in every account, and leaves a row of the attempt; the second settlement of one
 * lease changes nothing. What was measured counts even beyond the lease: then less than nothing may be available, and
 * nothing more is reserved. An expired lease, which counts as spent at its worst case, is corrected.
 */
export async function settle(table: Table, campaign: string, work: string, settled: Settled): Promise<void> {
  const key = leaseKey(campaign, work);
  const lease = await readLease(table, key);
  if (!lease || lease.state === 'settled') return;
  const facts = settled.facts ?? lease.facts;
  const expiring = settled.outcome === 'expired';
  if (expiring && lease.state === 'expired') return;
  const { actual } = settled;
  const charged = lease.state === 'expired' ? lease : null;
  const spent = amountOf((currency) => actual[currency] - (charged?.[currency] ?? 0));
  const counted = expiring ? {} : counts(lease, settled, facts);
  const row: AttemptRow = {
    campaign,
    work,
    attempt: lease.attempt,
    outcome: settled.outcome,
    failedUnits: settled.failedUnits,
    reserved: worstOf(lease),
    expected: lease.expected,
    actual,
    reservedAt: lease.at,
    settledAt: settled.at.toISOString(),
    facts,
    site: settled.site ?? null,
  };
  await table.write([
    { kind: 'update', key, set: { state: expiring ? 'expired' : 'settled' }, when: exactly(lease) },
    ...accountNames(lease).map((name) => ({
      kind: 'update' as const,
      key: accountKey(name),
      add: {
        ...columns(
          'Available',
          amountOf((currency) => lease[currency] - actual[currency]),
        ),
        ...columns('Spent', spent),
        ...(name.kind === 'campaign' ? counted : {}),
      },
    })),
    { kind: 'update', key: hourKey(campaign, settled.at), add: { coreSeconds: spent.coreSeconds } },
    ...attemptItems(row).map((item) => ({ kind: 'put' as const, item })),
  ]);
}

function counts(lease: LeaseRow, { failedUnits, actual }: Settled, facts: JobFacts | null): Record<string, number> {
  const units = facts?.units ?? 1;
  const { expected } = lease;
  if (!expected) return { attempts: 1, units, failedUnits };
  return {
    attempts: 1,
    units,
    failedUnits,
    microUsdExpected: expected.microUsd,
    coreSecondsExpected: expected.coreSeconds,
    microUsdMeasured: actual.microUsd,
    coreSecondsMeasured: actual.coreSeconds,
  };
}
