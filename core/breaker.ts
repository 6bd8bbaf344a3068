import { z } from 'zod';
import type { AccountRow } from '#core/account.ts';

/** When a campaign stops by itself although its cap has room. */
export const breakersSchema = z.strictObject({
  /** Jobs that must have ended before a mean says anything. */
  afterJobs: z.int().positive(),
  /** Spent over expected, in micro-dollars or core-seconds. PanDA's scouts stop at 2. */
  overEstimate: z.number().gt(1),
  /** Share of units that failed. */
  failedShare: z.number().gt(0).max(1),
  /** Core-seconds in one clock hour (UTC). */
  coreSecondsPerHour: z.int().positive().exactOptional(),
});
export type Breakers = z.infer<typeof breakersSchema>;

/**
 * Where a registration declares none. What is expected rests on the registered seconds of an idle core, and a busy node
 * may take five times as long (`SLOWEST_NODE` in core/job-order.ts), so 2 would stop sound campaigns.
 */
export const DEFAULT_BREAKERS: Breakers = { afterJobs: 5, overEstimate: 5, failedShare: 0.25 };

/** Which breaker trips, as a sentence; null when none does. */
export function tripped(row: AccountRow, breakers: Breakers, coreSecondsThisHour: number): string | null {
  const burn = breakers.coreSecondsPerHour;
  if (burn !== undefined && coreSecondsThisHour > burn) {
    return `burn rate: ${coreSecondsThisHour} core-seconds in this hour, more than ${burn}`;
  }
  if (row.attempts < breakers.afterJobs) return null;
  const share = row.units > 0 ? row.failedUnits / row.units : 0;
  if (share > breakers.failedShare) {
    return `errors: ${row.failedUnits} of ${row.units} units failed, more than ${100 * breakers.failedShare} %`;
  }
  for (const currency of ['microUsd', 'coreSeconds'] as const) {
    const expected = row[`${currency}Expected`];
    const measured = row[`${currency}Measured`];
    if (expected > 0 && measured > breakers.overEstimate * expected) {
      return `estimate: ${measured} ${currency} for ${row.attempts} jobs, more than ${breakers.overEstimate} times the ${expected} that were expected`;
    }
  }
  return null;
}
