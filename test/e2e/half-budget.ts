import { openCloud } from '#cli/context.ts';
import { resumeCampaign } from '#cli/operations/resume-campaign.ts';
import { accountFor, reservedOf, setCap } from '#core/account.ts';
import { ATTEMPT_PREFIX, type AttemptRow, attemptRowSchema } from '#core/attempt.ts';
import { campaignPartition } from '#core/campaign.ts';
import { readCampaign } from '#core/campaign-book.ts';
import { readRelease } from '#core/chunk-book.ts';
import { deferredJobs } from '#core/deferral.ts';
import { worstCase } from '#core/job-order.ts';
import { campaignAccount } from '#core/ledger.ts';
import { scan } from '#core/table.ts';

/** What a campaign said and had when its budget was used up. */
export interface Exhausted {
  readonly capMicroUsd: number;
  readonly spentMicroUsd: number;
  readonly heldMicroUsd: number;
  readonly failure: string | null;
  readonly estimatesDone: number;
  readonly jobsPutOff: number;
}

/** Leaves room for one estimate of a whole batch: its worst case, which is more than what two of them cost, and not for the one after it. */
export async function leaveRoomForOneJob(home: string, campaign: string): Promise<void> {
  const { table } = await openCloud(home);
  const account = campaignAccount(campaign);
  const { microUsdSpent, ...row } = await accountFor(table, account);
  const { release } = await readCampaign(table, campaign);
  const { spec } = await readRelease(table, release);
  const [algorithm = ''] = spec.campaign.algorithms;
  const batch = { units: spec.campaign.partsPerBatch, rows: 0, bytes: 0 };
  const worst = worstCase(spec, { kind: 'estimate', algorithm }, batch).microUsd;
  await setCap(table, account, 'microUsd', microUsdSpent + reservedOf({ microUsdSpent, ...row }).microUsd + worst);
}

/** Looks at the paused campaign; then raises its cap and lets it go on. */
export async function raiseAndResume(home: string, campaign: string, microUsd: number): Promise<Exhausted> {
  const cloud = await openCloud(home);
  const { table } = cloud;
  const row = await accountFor(table, campaignAccount(campaign));
  const exhausted = {
    capMicroUsd: row.microUsdCap,
    spentMicroUsd: row.microUsdSpent,
    heldMicroUsd: reservedOf(row).microUsd,
    failure: (await readCampaign(table, campaign)).failure,
    estimatesDone: (await attemptsOf(home, campaign)).filter(({ facts }) => facts?.kind === 'estimate').length,
    jobsPutOff: (await deferredJobs(table, campaign)).length,
  };
  await setCap(table, campaignAccount(campaign), 'microUsd', microUsd);
  await resumeCampaign(cloud, campaign);
  return exhausted;
}

export async function attemptsOf(home: string, campaign: string): Promise<readonly AttemptRow[]> {
  const { table } = await openCloud(home);
  const rows: AttemptRow[] = [];
  for await (const row of scan(table, campaignPartition(campaign), ATTEMPT_PREFIX)) {
    rows.push(attemptRowSchema.parse(row));
  }
  return rows;
}
