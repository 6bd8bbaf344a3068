import { z } from 'zod';
import { readAccount } from '#core/account.ts';
import { failCampaign } from '#core/campaign-book.ts';
import { nameSchema } from '#core/job.ts';
import { campaignAccount } from '#core/ledger.ts';
import { handler as stack } from '#functions/handler.ts';

const inputSchema = z.object({ campaign: nameSchema, error: z.string(), cause: z.string() });
const lambdaCauseSchema = z.object({ errorMessage: z.string() });

/** Puts the reason why a campaign failed or paused where people look: on the campaign itself, as one sentence. */
export const handler = stack(inputSchema, async ({ campaign, error, cause }, { table, log }) => {
  const failure = `${error}: ${sentence(cause)}`;
  const paused = (await readAccount(table, campaignAccount(campaign)))?.state === 'paused';
  await failCampaign(table, campaign, failure, paused ? 'paused' : 'failed');
  log.error(paused ? 'Campaign:Paused' : 'Campaign:Failed', { campaign, failure });
  return { failure };
});

/** A function's error comes as a JSON document with a stack trace; people want its message. */
function sentence(cause: string): string {
  try {
    const parsed = lambdaCauseSchema.safeParse(JSON.parse(cause));
    return parsed.success ? parsed.data.errorMessage : cause;
  } catch {
    return cause;
  }
}
