import { z } from 'zod';
import { enterStage } from '#core/campaign-book.ts';
import { nameSchema } from '#core/job.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import { readFinished } from '#functions/unsound.ts';
import { planVerification } from '#functions/verification.ts';

/** Lists the partitions of the packed collection, so that each is looked at by itself before anyone sees it. */
export const handler = stack(z.object({ campaign: nameSchema }), ({ campaign }, { table, lake, clock }) =>
  withScratch(async (scratch) => {
    const { catalogue } = await readFinished(table, campaign);
    await enterStage(table, campaign, 'verifying', clock.now());
    const partitions = await planVerification(campaign, catalogue, { lake, scratch });
    return { key: partitions.key, partitions };
  }),
);
