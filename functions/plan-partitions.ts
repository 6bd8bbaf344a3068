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
import { requireNothingDeferred } from '#core/deferral.ts';
import { digestOf } from '#core/digest.ts';
import { readText, writeDocument } from '#core/documents.ts';
import { MARGIN_ARCSEC, marginCountPixels } from '#core/hats/margin.ts';
import { coarsen, type Partition, partitionSky } from '#core/hats/partition.ts';
import { parsePartitionInfo } from '#core/hats/partition-info.ts';
import { ancestor, type Pixel } from '#core/healpix.ts';
import { nameSchema, type ObjectRef } from '#core/job.ts';
import { algorithmVersion } from '#core/job-order.ts';
import { readSlice } from '#core/object-slice.ts';
import { type PackingPlan, type PartitionTask, packingPlanKey, partitionOrdersKey } from '#core/partition-task.ts';
import { COUNT_ORDER } from '#core/recipe.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
import { estimateRowKey, estimateRowSchema, posteriorRowKey } from '#core/work.ts';
import { handler as stack } from '#functions/handler.ts';
import type { Services } from '#functions/services.ts';

/** Raise it with any change of what is packed, so that a catalogue packed before is not taken for this one. */
const PACKING_VERSION = 4;

const pixelsSchema = z.record(z.string(), z.int().positive());

/** Divides the sky by the counts that intake left, and lists, for each partition, the parts that reach into it. */
export const handler = stack(z.object({ campaign: nameSchema }), async ({ campaign }, services) => {
  const { table, lake, clock, log } = services;
  const row = await readCampaign(table, campaign);
  const { spec } = (await readPlannedRelease(table, row.release, row.planDigest)).release;
  await requireNothingDeferred(table, campaign);
  await moveChunks(table, row.release, 'finish');
  await enterStage(table, campaign, 'packing', clock.now());
  const counts = await countPixels(row.release, services);
  const { thresholdRows, highestOrder } = spec.campaign.partition;
  const coarse = coarsen(counts, COUNT_ORDER - highestOrder);
  const given = spec.partitionInfo ? await givenPixels(spec.partitionInfo, highestOrder, services) : [];
  const partitions = partitionSky(coarse, { countOrder: highestOrder, maxRows: thresholdRows, given });
  const plan: PackingPlan = {
    version: 3,
    campaign,
    release: row.release,
    title: spec.title,
    createdAt: row.stages.planned ?? clock.now().toISOString(),
    algorithms: spec.campaign.algorithms,
    templates: spec.campaign.algorithms.filter((name) => spec.algorithms[name]?.template === true),
    coordinates: spec.profile.deliveredCoordinates,
    marginArcsec: MARGIN_ARCSEC,
    rows: partitions.reduce((sum, partition) => sum + partition.rows, 0),
    counts: [...counts],
    prefix: `catalogues/${await catalogueDigest(table, campaign, row.planDigest, spec)}`,
    name: `${row.release}_object_photoz`.replaceAll(/[^a-z0-9_]/g, '_'),
  };
  const planRef = await writeDocument(lake, packingPlanKey(campaign), plan);
  const orders: { campaign: string; plan: ObjectRef; task: ObjectRef }[] = [];
  const reaching = await partsReachingInto(partitions, row.release, plan.marginArcsec, services);
  for (const [index, partition] of partitions.entries()) {
    const task = await partitionTask(partition, reaching[index] ?? { inside: [], around: [] }, plan, services);
    const key = `campaigns/${campaign}/partitions/${partition.order}-${partition.pixel}.json`;
    orders.push({ campaign, plan: planRef, task: await writeDocument(lake, key, task) });
  }
  const list = await writeDocument(lake, partitionOrdersKey(campaign), orders);
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
  return digestOf('catalogue', {
    packing: PACKING_VERSION,
    plan: planDigest,
    models,
    partition: spec.campaign.partition,
  });
}

async function givenPixels(ref: ObjectRef, highestOrder: number, { lake }: Services): Promise<readonly Pixel[]> {
  return parsePartitionInfo(await readText(lake, ref), highestOrder);
}

async function countPixels(release: string, services: Services): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for await (const part of releaseParts(services.table, release)) {
    for (const [pixel, rows] of await pixelsOf(part, services)) counts.set(pixel, (counts.get(pixel) ?? 0) + rows);
  }
  return counts;
}

async function pixelsOf(part: PartRow, { lake }: Services): Promise<readonly (readonly [number, number])[]> {
  const counted = pixelsSchema.parse(JSON.parse(new TextDecoder().decode(await readSlice(lake, part.pixels))));
  return Object.entries(counted).map(([pixel, rows]) => [Number(pixel), rows] as const);
}

interface Reaching {
  /** The parts that hold a row of the partition. */
  readonly inside: PartRow[];
  /** The others that may hold a row of its margin. */
  readonly around: PartRow[];
}

/**
 * For each partition, the parts that reach into it or its margin. A second pass over the parts, so that no list of
 * parts per counted pixel is ever held: a survey has millions of those, and a part reaches into a few partitions.
 */
async function partsReachingInto(
  partitions: readonly Partition[],
  release: string,
  marginArcsec: number,
  services: Services,
): Promise<readonly Reaching[]> {
  const positions = new Map(partitions.map(({ order, pixel }, index) => [`${order}/${pixel}`, index]));
  const orders = [...new Set(partitions.map(({ order }) => order))];
  const near = nearPartitions(partitions, marginArcsec);
  const reaching: Reaching[] = partitions.map(() => ({ inside: [], around: [] }));
  for await (const part of releaseParts(services.table, release)) {
    const inside = new Set<number>();
    const around = new Set<number>();
    for (const [pixel] of await pixelsOf(part, services)) {
      for (const order of orders) {
        const position = positions.get(`${order}/${ancestor({ order: COUNT_ORDER, pixel }, order).pixel}`);
        if (position !== undefined) inside.add(position);
      }
      for (const position of near.get(pixel) ?? []) around.add(position);
    }
    for (const position of inside) reaching[position]?.inside.push(part);
    for (const position of around) if (!inside.has(position)) reaching[position]?.around.push(part);
  }
  return reaching;
}

/** Counted pixel -> the partitions whose margin it may hold rows of: 4 * 2^(10 - order) + 4 pixels for each. */
function nearPartitions(partitions: readonly Partition[], marginArcsec: number): ReadonlyMap<number, number[]> {
  const near = new Map<number, number[]>();
  for (const [position, partition] of partitions.entries()) {
    for (const pixel of marginCountPixels(partition, marginArcsec, COUNT_ORDER)) {
      const known = near.get(pixel);
      if (known) known.push(position);
      else near.set(pixel, [position]);
    }
  }
  return near;
}

async function partitionTask(
  { order, pixel, rows }: Partition,
  reaching: Reaching,
  { campaign, algorithms }: PackingPlan,
  { table }: Services,
): Promise<PartitionTask> {
  const references = async (part: PartRow, keyOf: typeof estimateRowKey) => {
    const found: Record<string, ObjectRef> = {};
    for (const algorithm of algorithms) {
      const estimated = await table.get(keyOf(campaign, part.partId, algorithm));
      if (!estimated) continue;
      const { pk: _pk, sk: _sk, ...row } = estimated;
      const { key, sha256, sizeBytes } = estimateRowSchema.parse(row);
      found[algorithm] = { key, sha256, sizeBytes };
    }
    return found;
  };
  const parts: PartitionTask['parts'] = [];
  for (const part of reaching.inside) {
    const points = await references(part, estimateRowKey);
    const pdfs = await references(part, posteriorRowKey);
    parts.push({ partId: part.partId, skinny: part.skinny, points, pdfs });
  }
  const around: PartitionTask['around'] = [];
  for (const part of reaching.around) {
    around.push({ partId: part.partId, skinny: part.skinny, points: await references(part, estimateRowKey) });
  }
  return { version: 2, order, pixel, rows, parts, around };
}
