import { z } from 'zod';
import type { Amount } from '#core/amount.ts';
import { campaignPartition } from '#core/campaign.ts';
import type { Digest } from '#core/digest.ts';
import { digestSchema } from '#core/job.ts';
import type { Item, Key } from '#core/table.ts';

/** What a job is: all that its price may depend on. */
export const jobFactsSchema = z.object({
  kind: z.enum(['inform', 'validate', 'estimate']),
  algorithm: z.string(),
  configurationDigest: digestSchema,
  environmentDigest: digestSchema,
  /** The profile of the survey. */
  survey: z.string(),
  units: z.int().nonnegative(),
  rows: z.int().nonnegative(),
});
export type JobFacts = z.infer<typeof jobFactsSchema>;

/** How an attempt ended and what it is charged. */
export interface Settled {
  readonly outcome: 'succeeded' | 'failed' | 'expired';
  readonly actual: Amount;
  readonly failedUnits: number;
  /** Of the wall clock, from lease to settlement. */
  readonly at: Date;
  readonly facts: JobFacts | null;
  /** Where it ran; nobody knows of one that never answered. */
  readonly site?: string;
}

const amounts = z.object({ microUsd: z.int(), coreSeconds: z.int(), egressBytes: z.int() });

/** One try of one job; never overwritten, but for an expired one that is proven lower. */
export const attemptRowSchema = z.object({
  campaign: z.string(),
  work: z.string(),
  attempt: z.int().positive(),
  outcome: z.enum(['succeeded', 'failed', 'expired']),
  failedUnits: z.int().nonnegative(),
  reserved: amounts,
  expected: amounts.nullable(),
  actual: amounts,
  reservedAt: z.string(),
  settledAt: z.string(),
  facts: jobFactsSchema.nullable(),
  site: z.string().nullable().default(null),
});
export type AttemptRow = z.infer<typeof attemptRowSchema>;

export const ATTEMPT_PREFIX = 'T#';
const numbered = (work: string, attempt: number) => `${work}#${String(attempt).padStart(4, '0')}`;
export const attemptKey = (campaign: string, work: string, attempt: number): Key => ({
  pk: campaignPartition(campaign),
  sk: `${ATTEMPT_PREFIX}${numbered(work, attempt)}`,
});

/** The code that an attempt ran: figures of another version say nothing about this one. */
export interface CodeVersion {
  readonly algorithm: string;
  readonly configurationDigest: Digest;
  readonly environmentDigest: Digest;
}

/** Rows per unit by powers of two: a part of 100 rows costs its start-up, one of 100,000 its rows. */
export function stratum(facts: Pick<JobFacts, 'survey' | 'rows' | 'units'>): string {
  const perUnit = facts.units > 0 ? facts.rows / facts.units : 0;
  return `${facts.survey}/${perUnit < 1 ? 0 : 2 ** Math.floor(Math.log2(perUnit))}`;
}

/** All attempts of one code version, whichever campaign made them; the sort key begins with kind and stratum. */
export const historyPartition = (version: CodeVersion) =>
  `H#${version.algorithm}#${version.configurationDigest}#${version.environmentDigest}`;
export const historyPrefix = (kind: JobFacts['kind'], of: string) => `${kind}#${of}#`;

/** The rows that settle one attempt: in its campaign, and in the history where it is of use there. */
export function attemptItems(row: AttemptRow): readonly Item[] {
  const { facts, campaign, work, attempt } = row;
  const own: Item = { ...attemptKey(campaign, work, attempt), ...row };
  if (facts === null || row.outcome !== 'succeeded') return [own];
  const sk = `${historyPrefix(facts.kind, stratum(facts))}${numbered(work, attempt)}`;
  return [own, { ...own, pk: historyPartition(facts), sk }];
}
