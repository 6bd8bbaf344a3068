import { z } from 'zod';
import { failCampaign } from '#core/campaign-book.ts';
import { nameSchema } from '#core/job.ts';
import { handler as stack } from '#functions/handler.ts';

const inputSchema = z.object({ campaign: nameSchema, error: z.string(), cause: z.string() });
const lambdaCauseSchema = z.object({ errorMessage: z.string() });

/** Puts the reason of a failed campaign where people look: on the campaign itself, as one sentence. */
export const handler = stack(inputSchema, async ({ campaign, error, cause }, { table, log }) => {
  const failure = `${error}: ${sentence(cause)}`;
  await failCampaign(table, campaign, failure);
  log.error('Campaign:Failed', { campaign, failure });
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
