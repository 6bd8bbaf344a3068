import { z } from 'zod';
import { pauseAccount } from '#core/account.ts';
import { amountText } from '#core/amount.ts';
import { campaignPartition } from '#core/campaign.ts';
import { isDigest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { leaseKey, readLease } from '#core/lease.ts';
import { campaignAccount, type Reservation, readLedger } from '#core/ledger.ts';
import { scan, type Table } from '#core/table.ts';
import { workKeyOf } from '#core/work.ts';

/** Jobs that had no budget: put off until the campaign is resumed. */
const DEFERRED_PREFIX = 'D#';
const deferredRowSchema = z.object({ work: z.string().refine(isDigest), reason: z.string() });

/** Why a job does not start, in a sentence with all the figures. */
export function refusalText(refused: Extract<Reservation, { kind: 'refused' }>, job: string): string {
  const { account, open, available, wanted, reason } = refused;
  if (account === 'everything') return `the kill switch is on: ${reason ?? 'no reason given'}`;
  if (!open) return `the account of the ${account} takes nothing: ${reason ?? 'it is closed'}`;
  return `the cap of the ${account} leaves ${amountText(available)}; ${job} may need ${amountText(wanted)}`;
}

/** Notes a job that does not start, and pauses its campaign with the reason. */
export async function deferJob(table: Table, campaign: string, work: string, reason: string): Promise<void> {
  const key = { pk: campaignPartition(campaign), sk: `${DEFERRED_PREFIX}${work}` };
  await table.write([{ kind: 'put', item: { ...key, work, reason } }]);
  await pauseAccount(table, campaignAccount(campaign), reason);
}

/** Jobs that were put off and have not been done since. */
export async function deferredJobs(table: Table, campaign: string): Promise<readonly string[]> {
  const waiting: string[] = [];
  for await (const item of scan(table, campaignPartition(campaign), DEFERRED_PREFIX)) {
    const { work } = deferredRowSchema.parse(item);
    const lease = await readLease(table, leaseKey(campaign, work));
    if (lease?.state !== 'settled' && !(await table.get(workKeyOf(work)))) waiting.push(work);
  }
  return waiting;
}

/** @throws {InputError} `BUDGET_PAUSED` when jobs were put off: what they would have made is missing. */
export async function requireNothingDeferred(table: Table, campaign: string): Promise<void> {
  const waiting = await deferredJobs(table, campaign);
  if (waiting.length === 0) return;
  const { reason } = await readLedger(table, campaign);
  throw pausedError(`${waiting.length} jobs were put off: ${reason ?? 'the cap was raised meanwhile'}`);
}

export const pausedError = (reason: string) =>
  new InputError(reason, {
    code: 'BUDGET_PAUSED',
    hint: 'Raise the cap with ponte budget cap, then ponte campaign resume; finished work is not done again.',
  });
