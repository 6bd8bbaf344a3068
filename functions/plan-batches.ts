import { z } from 'zod';
import { anyOf } from '#core/any-of.ts';
import {
  enterStage,
  moveChunks,
  readCampaign,
  readPlannedRelease,
  releaseParts,
  requireApproval,
} from '#core/campaign-book.ts';
import { type Digest, digestOf } from '#core/digest.ts';
import { writeDocument } from '#core/documents.ts';
import type { Batch, BatchPart, ObjectRef } from '#core/job.ts';
import { nameSchema } from '#core/job.ts';
import type { JobOrder } from '#core/job-order.ts';
import { batchPart, inBatches } from '#core/plan/plan.ts';
import { priorityOf } from '#core/priority.ts';
import { handler as stack } from '#functions/handler.ts';

/** Cuts the release's parts into batches, a document each, and leaves the list of orders for the Distributed Map. */
export const handler = stack(z.object({ campaign: nameSchema }), async ({ campaign }, { table, lake, clock, log }) => {
  const row = await readCampaign(table, campaign);
  await requireApproval(table, row);
  const { spec } = (await readPlannedRelease(table, row.release, row.planDigest)).release;
  await enterStage(table, campaign, 'estimating', clock.now());
  await moveChunks(table, row.release, 'estimate');
  const hasPriority = priorityOf(table, lake, spec);
  const batches: { readonly id: Digest; readonly ref: ObjectRef; readonly priority: boolean }[] = [];
  const flush = async (parts: readonly BatchPart[], priority: boolean) => {
    const batch: Batch = { version: 1, batchId: batchId(parts), parts: [...parts] };
    const ref: ObjectRef = await writeDocument(lake, `campaigns/${campaign}/batches/${batch.batchId}.json`, batch);
    batches.push({ id: batch.batchId, ref, priority });
  };
  for await (const batch of inBatches(releaseParts(table, row.release), spec.campaign.partsPerBatch)) {
    await flush(batch.map(batchPart), await anyOf(batch, hasPriority));
  }
  // Digests are as good as random numbers: the jobs that are done first are a fair sample of the sky, which estimates go by.
  // Those with a priority tract come before the others, so that a budget that ends early has made them.
  const inOrder = batches.toSorted(
    (one, other) => Number(other.priority) - Number(one.priority) || (one.id < other.id ? -1 : 1),
  );
  const orders = inOrder.flatMap(({ id, ref, priority }) =>
    spec.campaign.algorithms.map(
      (algorithm): JobOrder => ({
        kind: 'estimate',
        campaign,
        release: row.release,
        algorithm,
        batchId: id,
        batch: ref,
        priority,
      }),
    ),
  );
  const list = await writeDocument(lake, `campaigns/${campaign}/orders.json`, orders);
  log.info('Campaign:Batched', { campaign, orders: orders.length });
  return { bucket: lake.bucket, key: list.key };
});

function batchId(parts: readonly BatchPart[]): Digest {
  return digestOf('batch', { parts: parts.map((part) => part.partId) });
}
