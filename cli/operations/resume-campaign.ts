import type { Cloud } from '#cli/context.ts';
import { resumeAccount } from '#core/account.ts';
import type { CampaignRow } from '#core/campaign.ts';
import { readCampaign, unstopCampaign } from '#core/campaign-book.ts';
import { InputError } from '#core/errors.ts';
import { campaignAccount } from '#core/ledger.ts';

/**
 * Asks for a paused or stopped campaign again, under the same plan: what is finished is found, what was put off is done.
 * @throws {InputError} `CAMPAIGN_NOT_PAUSED`
 */
export async function resumeCampaign(
  { table, intake }: Pick<Cloud, 'table' | 'intake'>,
  campaign: string,
): Promise<CampaignRow> {
  const row = await readCampaign(table, campaign);
  if (row.state !== 'paused' && row.state !== 'stopped') {
    throw new InputError(`the campaign ${campaign} is neither paused nor stopped, it is ${row.state}`, {
      code: 'CAMPAIGN_NOT_PAUSED',
      hint: 'ponte campaign watch shows what it does; one that failed is asked for again with ponte campaign start.',
    });
  }
  await unstopCampaign(table, campaign);
  await resumeAccount(table, campaignAccount(campaign));
  await intake.send({ version: 1, kind: 'campaign', release: row.release });
  return row;
}
