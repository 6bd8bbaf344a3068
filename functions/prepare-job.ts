import { readRelease } from '#core/chunk-book.ts';
import { deferJob, pausedError, refusalText } from '#core/deferral.ts';
import { batchSchema } from '#core/job.ts';
import { admit, findWork, jobInput, jobOrderSchema, prepareJob } from '#core/job-order.ts';
import { noteReuse } from '#core/plan/spending.ts';
import { readDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';

/**
 * Before a job: has this very work been done? Then its answer is used again. Otherwise its worst case is reserved and
 * the message for the site is made. No lease, no start: a job that does not fit waits while other leases may give something
 * back; then an estimate is put off, so that the others end, and its campaign pauses.
 */
export const handler = stack(jobOrderSchema, async (order, { table, lake, clock, log }) => {
  const { spec } = await readRelease(table, order.release);
  const parts = order.kind === 'estimate' ? (await readDocument(lake, order.batch, batchSchema)).parts : [];
  const { workKey, message } = await prepareJob(table, spec, order, parts);
  const done = await findWork(table, workKey);
  if (done) {
    await noteReuse(table, order.campaign, done);
    log.info('Job:Reused', { campaign: order.campaign, algorithm: order.algorithm, kind: order.kind, workKey });
    return { outcome: 'reuse', workKey, message, answer: done.answer };
  }
  const input = jobInput(message, parts);
  const reservation = await admit(table, spec, order, workKey, input, clock.now());
  const about = { campaign: order.campaign, algorithm: order.algorithm, kind: order.kind, workKey };
  if (reservation.kind === 'leased') {
    log.info('Job:Admitted', { ...about, rows: input.rows });
    return { outcome: 'start', workKey, message, answer: null };
  }
  if (reservation.mayFitLater) return { outcome: 'wait', workKey, message, answer: null };
  const reason = refusalText(reservation, `this ${order.kind} of ${order.algorithm}`);
  await deferJob(table, order.campaign, workKey, reason);
  log.warn('Job:Deferred', { ...about, reason });
  if (order.kind === 'estimate') return { outcome: 'deferred', workKey, message, answer: null };
  throw pausedError(reason);
});
