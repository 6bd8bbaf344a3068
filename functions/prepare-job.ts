import { admitJob } from '#core/admission.ts';
import { readRelease } from '#core/chunk-book.ts';
import { readDocument } from '#core/documents.ts';
import { batchSchema } from '#core/job.ts';
import { jobOrderSchema } from '#core/job-order.ts';
import { handler as stack } from '#functions/handler.ts';

/** Before a job: no lease, no start. What is decided, and why, is `admitJob`'s. */
export const handler = stack(jobOrderSchema, async (order, { table, lake, clock, log }) => {
  const { spec } = await readRelease(table, order.release);
  const parts = order.kind === 'estimate' ? (await readDocument(lake, order.batch, batchSchema)).parts : [];
  const admission = await admitJob(table, spec, order, parts, clock.now());
  const { campaign, algorithm, kind } = order;
  const { outcome, workKey, message, answer } = admission;
  const about = { campaign, algorithm, kind, workKey };
  if (outcome === 'deferred') log.warn('Job:Deferred', { ...about, reason: admission.reason });
  else if (outcome !== 'wait') log.info(outcome === 'reuse' ? 'Job:Reused' : 'Job:Admitted', about);
  return { outcome, workKey, message, answer };
});
