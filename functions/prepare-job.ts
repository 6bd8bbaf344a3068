import { readRelease } from '#core/chunk-book.ts';
import { InputError } from '#core/errors.ts';
import { batchSchema } from '#core/job.ts';
import { admit, findWork, jobOrderSchema, prepareJob } from '#core/job-order.ts';
import { readDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';

/**
 * Before a job: has this very work been done? Then its answer is used again. Otherwise its worst case is reserved and
 * the message for the site is made. No lease, no start.
 */
export const handler = stack(jobOrderSchema, async (order, { table, lake, log }) => {
  const { spec } = await readRelease(table, order.release);
  const parts = order.kind === 'estimate' ? (await readDocument(lake, order.batch, batchSchema)).parts : [];
  const { workKey, message } = await prepareJob(table, spec, order, parts);
  const done = await findWork(table, workKey);
  if (done) {
    log.info('Job:Reused', { campaign: order.campaign, algorithm: order.algorithm, kind: order.kind, workKey });
    return { reuse: true, workKey, message, answer: done.answer };
  }
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const refusal = await admit(table, spec, order, workKey, rows);
  if (refusal) {
    const { available, wanted } = refusal;
    throw new InputError(
      `the cap leaves ${available.microUsd} micro-dollars and ${available.coreSeconds} core-seconds; this ${order.kind} of ${order.algorithm} may need ${wanted.microUsd} and ${wanted.coreSeconds}`,
      {
        code: 'BUDGET_EXHAUSTED',
        hint: 'Register the release under a new name with higher caps; finished work is used again there.',
      },
    );
  }
  log.info('Job:Admitted', { campaign: order.campaign, algorithm: order.algorithm, kind: order.kind, workKey, rows });
  return { reuse: false, workKey, message, answer: null };
});
