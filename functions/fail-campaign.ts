import { readAccount } from '#core/account.ts';
import { failCampaign } from '#core/campaign-book.ts';
import { nameSchema } from '#core/job.ts';
import { campaignAccount } from '#core/ledger.ts';
import { failureSchema, sentence } from '#functions/failure.ts';
import { handler as stack } from '#functions/handler.ts';

const inputSchema = failureSchema.extend({ campaign: nameSchema });

/** Puts the reason why a campaign failed or paused where people look: on the campaign itself, as one sentence. */
export const handler = stack(inputSchema, async ({ campaign, error, cause }, { table, log }) => {
  const failure = sentence({ error, cause });
  const paused = (await readAccount(table, campaignAccount(campaign)))?.state === 'paused';
  await failCampaign(table, campaign, failure, paused ? 'paused' : 'failed');
  log.error(paused ? 'Campaign:Paused' : 'Campaign:Failed', { campaign, failure });
  return { failure };
});
