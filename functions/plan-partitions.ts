import { z } from 'zod';
import {
  enterStage,
  moveChunks,
  readCampaign,
  readModel,
  readPlannedRelease,
  releaseParts,
} from '#core/campaign-book.ts';
import type { PartRow } from '#core/chunk.ts';
import { digestOf } from '#core/digest.ts';
import { coarsen, type Partition, partitionSky } from '#core/hats/partition.ts';
import { ancestor } from '#core/healpix.ts';
import { nameSchema, type ObjectRef } from '#core/job.ts';
import { algorithmVersion } from '#core/job-order.ts';
import type { PackingPlan, PartitionTask } from '#core/partition-task.ts';
import { COUNT_ORDER } from '#core/recipe.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
import { estimateRowKey, estimateRowSchema } from '#core/work.ts';
import { readDocument, writeDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';
import type { Services } from '#functions/services.ts';

const pixelsSchema = z.record(z.string(), z.int().positive());

/** Divides the sky by the counts that intake left, and lists, for each partition, the parts that reach into it. */
export const handler = stack(z.object({ campaign: nameSchema }), async ({ campaign }, services) => {
  const { table, lake, clock, log } = services;
  const row = await readCampaign(table, campaign);
  const { spec } = (await readPlannedRelease(table, row.release, row.planDigest)).release;
  await moveChunks(table, row.release, 'finish');
  await enterStage(table, campaign, 'packing', clock.now());
  const counts = await countPixels(row.release, services);
  const { thresholdRows, highestOrder } = spec.campaign.partition;
  const coarse = coarsen(counts, COUNT_ORDER - highestOrder);
  const partitions = partitionSky(coarse, { countOrder: highestOrder, maxRows: thresholdRows });
  const plan: PackingPlan = {
    version: 1,
    campaign,
    release: row.release,
    title: spec.title,
    createdAt: row.stages.planned ?? clock.now().toISOString(),
    algorithms: spec.campaign.algorithms,
    coordinates: spec.profile.deliveredCoordinates,
    rows: partitions.reduce((sum, partition) => sum + partition.rows, 0),
    counts: [...counts],
    prefix: `catalogues/${await catalogueDigest(table, campaign, row.planDigest, spec)}`,
    name: `${row.release}_object_photoz`.replaceAll(/[^a-z0-9_]/g, '_'),
  };
  const planRef = await writeDocument(lake, `campaigns/${campaign}/packing.json`, plan);
  const orders: { campaign: string; plan: ObjectRef; task: ObjectRef }[] = [];
  const reaching = await partsReachingInto(partitions, row.release, services);
  for (const [index, partition] of partitions.entries()) {
    const task = await partitionTask(partition, reaching[index] ?? [], plan, services);
    const key = `campaigns/${campaign}/partitions/${partition.order}-${partition.pixel}.json`;
    orders.push({ campaign, plan: planRef, task: await writeDocument(lake, key, task) });
  }
  const list = await writeDocument(lake, `campaigns/${campaign}/partitions.json`, orders);
  log.info('Campaign:Partitioned', { campaign, partitions: partitions.length, rows: plan.rows });
  return { bucket: lake.bucket, key: list.key, plan: planRef };
});

/** The catalogue's name: the plan, and the model and configuration of each algorithm. */
async function catalogueDigest(table: Table, campaign: string, planDigest: string, spec: ReleaseSpec) {
  const models: Record<string, string> = {};
  for (const algorithm of spec.campaign.algorithms) {
    const model = await readModel(table, campaign, algorithm);
    models[algorithm] = `${algorithmVersion(spec, algorithm).configurationDigest}:${model.sha256}`;
  }
  return digestOf('catalogue', { plan: planDigest, models, partition: spec.campaign.partition });
}

async function countPixels(release: string, services: Services): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for await (const part of releaseParts(services.table, release)) {
    for (const [pixel, rows] of await pixelsOf(part, services)) counts.set(pixel, (counts.get(pixel) ?? 0) + rows);
  }
  return counts;
}

async function pixelsOf(part: PartRow, { lake }: Services): Promise<readonly (readonly [number, number])[]> {
  const counted = await readDocument(lake, part.pixels, pixelsSchema);
  return Object.entries(counted).map(([pixel, rows]) => [Number(pixel), rows] as const);
}

/**
 * For each partition, the parts that hold a row of it. A second pass over the parts, so that no list of parts per
 * counted pixel is ever held: a survey has millions of those, and a part reaches into a few partitions.
 */
async function partsReachingInto(
  partitions: readonly Partition[],
  release: string,
  services: Services,
): Promise<readonly (readonly PartRow[])[]> {
  const positions = new Map(partitions.map(({ order, pixel }, index) => [`${order}/${pixel}`, index]));
  const orders = [...new Set(partitions.map(({ order }) => order))];
  const reaching: PartRow[][] = partitions.map(() => []);
  for await (const part of releaseParts(services.table, release)) {
    const touched = new Set<number>();
    for (const [pixel] of await pixelsOf(part, services)) {
      for (const order of orders) {
        const position = positions.get(`${order}/${ancestor({ order: COUNT_ORDER, pixel }, order).pixel}`);
        if (position !== undefined) touched.add(position);
      }
    }
    for (const position of touched) reaching[position]?.push(part);
  }
  return reaching;
}

async function partitionTask(
  { order, pixel, rows }: Partition,
  reaching: readonly PartRow[],
  { campaign, algorithms }: PackingPlan,
  { table }: Services,
): Promise<PartitionTask> {
  const parts: PartitionTask['parts'] = [];
  for (const part of reaching) {
    const points: Record<string, ObjectRef> = {};
    for (const algorithm of algorithms) {
      const estimated = await table.get(estimateRowKey(campaign, part.partId, algorithm));
      if (!estimated) continue;
      const { pk: _pk, sk: _sk, ...row } = estimated;
      const { key, sha256, sizeBytes } = estimateRowSchema.parse(row);
      points[algorithm] = { key, sha256, sizeBytes };
    }
    parts.push({ partId: part.partId, skinny: part.skinny, points });
  }
  return { version: 1, order, pixel, rows, parts };
}
