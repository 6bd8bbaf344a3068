import { idRangeOrderSchema } from '#core/verification-order.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import { verifyIdRange } from '#functions/verification.ts';

/** Looks for objects that are there twice, in whichever partitions, among the ids of one range. */
export const handler = stack(idRangeOrderSchema, (order, { lake, log }) =>
  withScratch(async (scratch) => {
    const findings = await verifyIdRange(order, { lake, scratch });
    log.info('Ids:Compared', { campaign: order.campaign, record: order.record, findings });
    return { findings: findings.length };
  }),
);
