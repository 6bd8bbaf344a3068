import { partitionsLookedSchema } from '#core/verification-order.ts';
import { handler as stack } from '#functions/handler.ts';
import { planIdRanges } from '#functions/verification.ts';

/** Lists the ranges of ids in which objects may be there twice. */
export const handler = stack(partitionsLookedSchema, async ({ campaign, partitions }, { lake }) => {
  const idRanges = await planIdRanges(campaign, partitions, { lake });
  return { key: idRanges.key, idRanges };
});
