import { z } from 'zod';
import { amountOf } from '#core/amount.ts';
import { jobFactsSchema } from '#core/attempt.ts';
import { campaignPartition } from '#core/campaign.ts';
import { equals, type Key, type Table } from '#core/table.ts';

const amountColumns = { microUsd: z.int(), coreSeconds: z.int(), egressBytes: z.int() };
export const leaseRowSchema = z.object({
  ...amountColumns,
  /** `expired` counts as spent until its settlement proves it lower. */
  state: z.enum(['held', 'expired', 'settled']),
  attempt: z.int().positive(),
  campaign: z.string(),
  release: z.string(),
  /** The month that it was taken in, and is settled in. */
  month: z.string(),
  at: z.string(),
  expiresAt: z.string(),
  facts: jobFactsSchema.nullable(),
  expected: z.object(amountColumns).nullable(),
});
export type LeaseRow = z.infer<typeof leaseRowSchema>;

/** Longer than any job with all its repeats (`LONGEST_JOB` in infra/job-chain.ts). */
const LEASE_DAYS = 31;
const DAY_MS = 86_400_000;

export const expiryOf = (at: Date) => new Date(at.getTime() + LEASE_DAYS * DAY_MS).toISOString();

export const LEASE_PREFIX = 'L#';
export const leaseKey = (campaign: string, work: string): Key => ({
  pk: campaignPartition(campaign),
  sk: `${LEASE_PREFIX}${work}`,
});
export async function readLease(table: Table, key: Key): Promise<LeaseRow | null> {
  const row = await table.get(key);
  return row ? leaseRowSchema.parse(row) : null;
}

/** The very lease that was read: the same work may have been settled and leased anew since. */
export const exactly = (lease: LeaseRow) => [equals('state', lease.state), equals('attempt', lease.attempt)];

/** What the lease set aside. */
export const worstOf = (lease: LeaseRow) => amountOf((currency) => lease[currency]);

/** Bytes that one attempt fetches from the cloud: the site reads every input once. */
export const expectedEgress = async (table: Table, campaign: string, work: string): Promise<number> =>
  (await readLease(table, leaseKey(campaign, work)))?.expected?.egressBytes ?? 0;
