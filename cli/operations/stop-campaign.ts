import type { Cloud } from '#cli/context.ts';
import { pauseAccount } from '#core/account.ts';
import type { CampaignRow } from '#core/campaign.ts';
import { readCampaign, stopCampaign as recordStop } from '#core/campaign-book.ts';
import { InputError } from '#core/errors.ts';
import { campaignAccount } from '#core/ledger.ts';

/**
 * Ends a campaign now: nothing more is admitted, its execution ends, and with it the tokens of its jobs, so that every
 * agent cancels them at its next heartbeat. What is finished stays, and `resumeCampaign` goes on from there.
 * Called again, it does again what a kill left undone.
 * @throws {InputError} `CAMPAIGN_OVER` when it was delivered.
 */
export async function stopCampaign(
  { table, campaignMachine, identity }: Pick<Cloud, 'table' | 'campaignMachine' | 'identity'>,
  campaign: string,
  why: string,
): Promise<CampaignRow> {
  const words = `stopped by ${await identity()}: ${why}`;
  const { state } = await readCampaign(table, campaign);
  if (state === 'delivered') {
    throw new InputError(`the campaign ${campaign} is delivered: there is nothing to stop`, {
      code: 'CAMPAIGN_OVER',
      hint: 'ponte withdraw takes a delivery back.',
    });
  }
  await pauseAccount(table, campaignAccount(campaign), words);
  await recordStop(table, campaign, words);
  const row = await readCampaign(table, campaign);
  await campaignMachine.stop(row.execution, words);
  return row;
}
