import { z } from 'zod';
import { type Amount, amountOf, NOTHING } from '#core/amount.ts';
import { ATTEMPT_PREFIX, attemptRowSchema } from '#core/attempt.ts';
import { campaignPartition } from '#core/campaign.ts';
import { scan, type Table } from '#core/table.ts';
import type { WorkRow } from '#core/work.ts';

const REUSED_PREFIX = 'U#';
const reusedRowSchema = z.object({ units: z.int(), coreSeconds: z.number() });

/** Notes work of another campaign that this one did not have to do; what a campaign finds of its own is no saving. */
export async function noteReuse(table: Table, campaign: string, { campaign: by, workKey, answer }: WorkRow) {
  if (by === campaign) return;
  const key = { pk: campaignPartition(campaign), sk: `${REUSED_PREFIX}${workKey}` };
  await table.write([{ kind: 'put', item: { ...key, by, units: answer.units, coreSeconds: answer.coreSeconds } }]);
}

/** One kind of job of one algorithm: what was expected before each job, and what it took. */
export interface StageSpending {
  readonly kind: string;
  readonly algorithm: string;
  readonly attempts: number;
  readonly expected: Amount;
  /** The upper end of the estimate that a job starts with: its reserved worst case. */
  readonly reserved: Amount;
  readonly actual: Amount;
  /** Whether no currency took more than was reserved. */
  readonly inside: boolean;
}

export interface Spending {
  readonly stages: readonly StageSpending[];
  /** Every charged unit is in exactly one of them; a job with failed units is split by their share. */
  readonly byOutcome: { readonly succeeded: Amount; readonly failed: Amount; readonly expired: Amount };
  /** Core-seconds by the site that used them; `unknown` of attempts that never answered. */
  readonly bySite: { readonly [site: string]: number };
  /** What other campaigns had paid for already. */
  readonly reused: { readonly jobs: number; readonly units: number; readonly coreSeconds: number };
}

const plus = (a: Amount, b: Amount) => amountOf((currency) => a[currency] + b[currency]);

/** What a campaign's attempts were expected to cost and did cost, from one row per attempt. */
export async function spendingOf(table: Table, campaign: string): Promise<Spending> {
  const stages = new Map<string, StageSpending>();
  const bySite: Record<string, number> = {};
  let [succeeded, failed, expired] = [NOTHING, NOTHING, NOTHING];
  for await (const item of scan(table, campaignPartition(campaign), ATTEMPT_PREFIX)) {
    const { facts, outcome, actual, expected, reserved, failedUnits, site } = attemptRowSchema.parse(item);
    bySite[site ?? 'unknown'] = (bySite[site ?? 'unknown'] ?? 0) + actual.coreSeconds;
    if (outcome === 'expired') expired = plus(expired, actual);
    else {
      const share = failedUnits / Math.max(facts?.units ?? 1, failedUnits, 1);
      const lost = amountOf((currency) => Math.round(actual[currency] * share));
      failed = plus(failed, lost);
      succeeded = plus(
        succeeded,
        amountOf((currency) => actual[currency] - lost[currency]),
      );
    }
    const [kind, algorithm] = [facts?.kind ?? 'unknown', facts?.algorithm ?? ''];
    const key = `${kind} ${algorithm}`;
    const before = stages.get(key);
    const sums = {
      attempts: (before?.attempts ?? 0) + 1,
      expected: plus(before?.expected ?? NOTHING, expected ?? NOTHING),
      reserved: plus(before?.reserved ?? NOTHING, reserved),
      actual: plus(before?.actual ?? NOTHING, actual),
    };
    const over = amountOf((currency) => Math.max(0, sums.actual[currency] - sums.reserved[currency]));
    stages.set(key, { kind, algorithm, ...sums, inside: Object.values(over).every((beyond) => beyond === 0) });
  }
  const reused = { jobs: 0, units: 0, coreSeconds: 0 };
  for await (const item of scan(table, campaignPartition(campaign), REUSED_PREFIX)) {
    const { units, coreSeconds } = reusedRowSchema.parse(item);
    reused.jobs += 1;
    reused.units += units;
    reused.coreSeconds += coreSeconds;
  }
  return { stages: [...stages.values()], byOutcome: { succeeded, failed, expired }, bySite, reused };
}
