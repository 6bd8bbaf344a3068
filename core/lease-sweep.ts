import { campaignPartition } from '#core/campaign.ts';
import { LEASE_PREFIX, leaseRowSchema, worstOf } from '#core/lease.ts';
import { settle } from '#core/ledger.ts';
import { scan, type Table } from '#core/table.ts';

/** Charges every lease of a campaign whose time is over at its worst case. Answers how many. */
export async function sweepLeases(table: Table, campaign: string, at: Date): Promise<number> {
  let swept = 0;
  for await (const row of scan(table, campaignPartition(campaign), LEASE_PREFIX)) {
    const lease = leaseRowSchema.parse(row);
    if (lease.state !== 'held' || Date.parse(lease.expiresAt) > at.getTime()) continue;
    const actual = worstOf(lease);
    const work = row.sk.slice(LEASE_PREFIX.length);
    await settle(table, campaign, work, { outcome: 'expired', actual, failedUnits: 0, at, facts: null });
    swept += 1;
  }
  return swept;
}
