import { partitionOrderSchema } from '#core/verification-order.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import { verifyPartition } from '#functions/verification.ts';

/** Looks at one partition as its receiver would: independent of all others, and gives the same again. */
export const handler = stack(partitionOrderSchema, (order, { lake, log }) =>
  withScratch(async (scratch) => {
    const { order: depth, pixel, findings, readable } = await verifyPartition(order, { lake, scratch });
    const found = Object.values(findings).flat();
    log.info('Partition:Verified', { campaign: order.campaign, order: depth, pixel, readable, findings: found });
    return { order: depth, pixel, findings: found.length };
  }),
);
