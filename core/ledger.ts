import { z } from 'zod';
import { campaignPartition } from '#core/campaign.ts';
import { equals, type Key, ROW_IS_NEW, type Table } from '#core/table.ts';

/** Two of the three currencies; they are never summed. Whole numbers, so that nothing is lost by rounding. */
export interface Amount {
  readonly microUsd: number;
  readonly coreSeconds: number;
}

export const ledgerRowSchema = z.object({
  microUsdAvailable: z.int(),
  coreSecondsAvailable: z.int(),
  microUsdSpent: z.int(),
  coreSecondsSpent: z.int(),
  state: z.enum(['open', 'closed']),
});
export type LedgerRow = z.infer<typeof ledgerRowSchema>;

const leaseRowSchema = z.object({
  microUsd: z.int(),
  coreSeconds: z.int(),
  state: z.enum(['held', 'settled']),
});

export type Reservation =
  | { readonly kind: 'leased' }
  /** The campaign's cap leaves less than the worst case of this work. */
  | { readonly kind: 'refused'; readonly available: Amount; readonly wanted: Amount; readonly open: boolean };

export const ledgerKey = (campaign: string): Key => ({ pk: campaignPartition(campaign), sk: 'LEDGER' });
export const LEASE_PREFIX = 'L#';
const leaseKey = (campaign: string, work: string): Key => ({
  pk: campaignPartition(campaign),
  sk: `${LEASE_PREFIX}${work}`,
});

/** Opens a campaign's ledger with its caps; opening it again changes nothing. */
export async function openLedger(table: Table, campaign: string, caps: Amount): Promise<void> {
  const row: LedgerRow = {
    microUsdAvailable: caps.microUsd,
    coreSecondsAvailable: caps.coreSeconds,
    microUsdSpent: 0,
    coreSecondsSpent: 0,
    state: 'open',
  };
  await table.write([{ kind: 'put', item: { ...ledgerKey(campaign), ...row }, when: [ROW_IS_NEW] }]);
}

export async function readLedger(table: Table, campaign: string): Promise<LedgerRow> {
  return ledgerRowSchema.parse(await table.get(ledgerKey(campaign)));
}

/**
 * Reserves the worst case of a piece of work before it starts. No lease, no start.
 *
 * The ledger stores what is available, because a condition can compare but not add: of two that race for the last
 * dollar, one finds `available >= wanted` no longer true. The lease row makes a retry find its own lease; work that
 * was settled and is done again, because parts of it had failed, takes a new one.
 */
export async function reserve(table: Table, campaign: string, work: string, wanted: Amount): Promise<Reservation> {
  const key = leaseKey(campaign, work);
  const lease = await table.get(key);
  if (lease && leaseRowSchema.parse(lease).state === 'held') return { kind: 'leased' };
  const outcome = await table.write([
    {
      kind: 'put',
      item: { ...key, ...wanted, state: 'held' },
      when: [lease ? equals('state', 'settled') : ROW_IS_NEW],
    },
    {
      kind: 'update',
      key: ledgerKey(campaign),
      add: { microUsdAvailable: -wanted.microUsd, coreSecondsAvailable: -wanted.coreSeconds },
      when: [
        equals('state', 'open'),
        { kind: 'atLeast', attribute: 'microUsdAvailable', value: wanted.microUsd },
        { kind: 'atLeast', attribute: 'coreSecondsAvailable', value: wanted.coreSeconds },
      ],
    },
  ]);
  // Position 0 is the lease: another attempt of the same work has just taken it.
  if (outcome.written || outcome.refused.includes(0)) return { kind: 'leased' };
  const ledger = await readLedger(table, campaign);
  const available = { microUsd: ledger.microUsdAvailable, coreSeconds: ledger.coreSecondsAvailable };
  return { kind: 'refused', available, wanted, open: ledger.state === 'open' };
}

/**
 * Replaces a lease by what was measured; the second settlement of one lease changes nothing. What was measured counts
 * even beyond the lease: then less than nothing may be available, and nothing more is reserved.
 */
export async function settle(table: Table, campaign: string, work: string, actual: Amount): Promise<void> {
  const row = await table.get(leaseKey(campaign, work));
  if (!row) return;
  const lease = leaseRowSchema.parse(row);
  await table.write([
    {
      kind: 'update',
      key: leaseKey(campaign, work),
      set: { state: 'settled', actualMicroUsd: actual.microUsd, actualCoreSeconds: actual.coreSeconds },
      // The very lease that was read: the same work may have been settled and leased anew, at another price, since.
      when: [equals('state', 'held'), equals('microUsd', lease.microUsd), equals('coreSeconds', lease.coreSeconds)],
    },
    {
      kind: 'update',
      key: ledgerKey(campaign),
      add: {
        microUsdAvailable: lease.microUsd - actual.microUsd,
        coreSecondsAvailable: lease.coreSeconds - actual.coreSeconds,
        microUsdSpent: actual.microUsd,
        coreSecondsSpent: actual.coreSeconds,
      },
    },
  ]);
}
