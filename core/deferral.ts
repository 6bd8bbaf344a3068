import { z } from 'zod';
import { pauseAccount } from '#core/account.ts';
import { amountText } from '#core/amount.ts';
import { anyOf } from '#core/any-of.ts';
import { campaignPartition } from '#core/campaign.ts';
import { type Digest, isDigest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { leaseKey, readLease } from '#core/lease.ts';
import { campaignAccount, type Reservation, readLedger } from '#core/ledger.ts';
import { scan, type Table } from '#core/table.ts';
import { workKeyOf } from '#core/work.ts';

/** Jobs that had no budget: put off until the campaign is resumed. */
const DEFERRED_PREFIX = 'D#';
const deferredRowSchema = z.object({
  work: z.string().refine(isDigest),
  /** The same done with less, which is as good (core/degrade-order.ts). */
  less: z.array(z.string().refine(isDigest)),
  reason: z.string(),
});

/** Why a job does not start, in a sentence with all the figures. */
export function refusalText(refused: Extract<Reservation, { kind: 'refused' }>, job: string): string {
  const { account, open, available, wanted, reason } = refused;
  if (account === 'everything') return `the kill switch is on: ${reason ?? 'no reason given'}`;
  if (!open) return `the account of the ${account} takes nothing: ${reason ?? 'it is closed'}`;
  return `the cap of the ${account} leaves ${amountText(available)}; ${job} may need ${amountText(wanted)}`;
}

export interface PutOff {
  readonly work: Digest;
  readonly less: readonly Digest[];
  readonly reason: string;
}

/** Notes a job that does not start; the others go on. */
export const putOff = (table: Table, campaign: string, job: PutOff) =>
  table.write([
    {
      kind: 'put',
      item: { pk: campaignPartition(campaign), sk: `${DEFERRED_PREFIX}${job.work}`, ...job, less: [...job.less] },
    },
  ]);

/** Notes a job that does not start, and pauses its campaign with the reason. */
export async function deferJob(table: Table, campaign: string, job: PutOff): Promise<void> {
  await putOff(table, campaign, job);
  await pauseAccount(table, campaignAccount(campaign), job.reason);
}

/** Jobs that were put off and have not been done since. */
export async function deferredJobs(table: Table, campaign: string): Promise<readonly PutOff[]> {
  const isDone = async (work: Digest) => {
    const lease = await readLease(table, leaseKey(campaign, work));
    return lease?.state === 'settled' || (await table.get(workKeyOf(work))) !== null;
  };
  const waiting: PutOff[] = [];
  for await (const item of scan(table, campaignPartition(campaign), DEFERRED_PREFIX)) {
    const { work, less, reason } = deferredRowSchema.parse(item);
    if (!(await anyOf([work, ...less], isDone))) waiting.push({ work, less, reason });
  }
  return waiting;
}

/** @throws {InputError} `BUDGET_PAUSED` when jobs were put off: what they would have made is missing. */
export async function requireNothingDeferred(table: Table, campaign: string): Promise<void> {
  const waiting = await deferredJobs(table, campaign);
  const [first] = waiting;
  if (!first) return;
  // Paused already, unless it was doing less: then nothing but what was put off is left.
  await pauseAccount(table, campaignAccount(campaign), first.reason);
  const { reason } = await readLedger(table, campaign);
  throw pausedError(`${waiting.length} jobs were put off: ${reason ?? 'the cap was raised meanwhile'}`);
}

export const pausedError = (reason: string) =>
  new InputError(reason, {
    code: 'BUDGET_PAUSED',
    hint: 'Raise the cap with ponte budget cap, then ponte campaign resume; finished work is not done again.',
  });
