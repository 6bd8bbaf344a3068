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
import { type Digest, digestOf } from '#core/digest.ts';
import { readText, writeDocument } from '#core/documents.ts';
import { MARGIN_ARCSEC, marginCountPixels } from '#core/hats/margin.ts';
import { coarsen, maxRowsOf, type Partition, partitionSky } from '#core/hats/partition.ts';
import { parsePartitionInfo } from '#core/hats/partition-info.ts';
import { ancestor, type Pixel, pixelCount } from '#core/healpix.ts';
import { inOrder } from '#core/in-order.ts';
import { nameSchema, type ObjectRef } from '#core/job.ts';
import { algorithmVersion } from '#core/job-order.ts';
import { readSlice } from '#core/object-slice.ts';
import { largerBytes, type PartOutputs, readPartOutputs } from '#core/part-outputs.ts';
import { type PackingPlan, type PartitionTask, packingPlanKey, partitionOrdersKey } from '#core/partition-task.ts';
import { COUNT_ORDER } from '#core/recipe.ts';
import type { ReleaseRow, ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
import { handler as stack } from '#functions/handler.ts';
import type { Services } from '#functions/services.ts';

/** Raise it with any change of what is packed, so that a catalogue packed before is not taken for this one. */
const PACKING_VERSION = 5;

const pixelsSchema = z.record(z.string(), z.int().positive());

/** Divides the sky by the counts that intake left, and lists, for each partition, the parts that reach into it. */
export const handler = stack(z.object({ campaign: nameSchema }), async ({ campaign }, services) => {
  const { table, lake, clock, log } = services;
  const row = await readCampaign(table, campaign);
  const { release } = await readPlannedRelease(table, row.release, row.planDigest);
  const { spec } = release;
  await requireNothingDeferred(table, campaign);
  await moveChunks(table, row.release, 'finish');
  await enterStage(table, campaign, 'packing', clock.now());
  const outputsOf = remembering((partId) => readPartOutputs(table, campaign, partId, spec.campaign.algorithms));
  const counts = await countPixels(row.release, services);
  const { highestOrder } = spec.campaign.partition;
  const maxRows = maxRowsOf(spec.campaign.partition, await measureParts(release, outputsOf, table));
  const coarse = highestOrder === COUNT_ORDER ? counts : coarsen(counts, COUNT_ORDER - highestOrder);
  const given = spec.partitionInfo ? await givenPixels(spec.partitionInfo, highestOrder, services) : [];
  const partitions = partitionSky(coarse, { countOrder: highestOrder, maxRows, given });
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
    counts,
    prefix: `catalogues/${await catalogueDigest(table, campaign, row.planDigest, spec)}`,
    name: `${row.release}_object_photoz`.replaceAll(/[^a-z0-9_]/g, '_'),
  };
  const planRef = await writeDocument(lake, packingPlanKey(campaign), plan);
  const orders: { campaign: string; plan: ObjectRef; task: ObjectRef }[] = [];
  const reaching = await partsReachingInto(partitions, row.release, plan.marginArcsec, services);
  const writeTask = async ([index, partition]: [number, Partition]) => {
    const task = await partitionTask(partition, reaching[index] ?? { inside: [], around: [] }, outputsOf);
    return writeDocument(lake, `campaigns/${campaign}/partitions/${partition.order}-${partition.pixel}.json`, task);
  };
  for await (const task of inOrder(partitions.entries(), AT_ONCE, writeTask)) {
    orders.push({ campaign, plan: planRef, task });
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

/** What is asked of the lake and the table at a time. */
const AT_ONCE = 32;

/** The rows of every counted pixel that has some, in the order of the pixels. An array of all: a map of a survey's takes many times that. */
async function countPixels(release: string, services: Services): Promise<[number, number][]> {
  const counts = new Uint32Array(pixelCount(COUNT_ORDER));
  const look = (part: PartRow) => pixelsOf(part, services);
  for await (const pixels of inOrder(releaseParts(services.table, release), AT_ONCE, look)) {
    for (const [pixel, rows] of pixels) counts[pixel] = (counts[pixel] ?? 0) + rows;
  }
  const found: [number, number][] = [];
  for (const [pixel, rows] of counts.entries()) if (rows > 0) found.push([pixel, rows]);
  return found;
}

/** What the parts came to, where the threshold is one of bytes. */
async function measureParts({ spec: { campaign }, release }: ReleaseRow, outputsOf: OutputsOf, table: Table) {
  const parts = { rows: 0, bytes: 0 };
  if (campaign.partition.thresholdMegabytes === undefined) return parts;
  const look = async ({ partId, rows }: PartRow) => ({ rows, outputs: await outputsOf(partId) });
  for await (const { rows, outputs } of inOrder(releaseParts(table, release), AT_ONCE, look)) {
    parts.rows += rows;
    parts.bytes += largerBytes(outputs);
  }
  return parts;
}

type OutputsOf = (partId: Digest) => Promise<PartOutputs>;

/** Parts that are remembered: neighbours on the sky share theirs, and those of a whole survey would fill the memory. */
const REMEMBERED = 10_000;

/** Asks once for a part that was asked for lately. */
function remembering(read: OutputsOf): OutputsOf {
  const known = new Map<Digest, Promise<PartOutputs>>();
  return (partId) => {
    const outputs = known.get(partId) ?? read(partId);
    known.delete(partId);
    known.set(partId, outputs);
    const [oldest] = known.keys();
    if (oldest !== undefined && known.size > REMEMBERED) known.delete(oldest);
    return outputs;
  };
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
  const look = async (part: PartRow) => ({ part, pixels: await pixelsOf(part, services) });
  for await (const { part, pixels } of inOrder(releaseParts(services.table, release), AT_ONCE, look)) {
    const inside = new Set<number>();
    const around = new Set<number>();
    for (const [pixel] of pixels) {
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
  outputsOf: OutputsOf,
): Promise<PartitionTask> {
  const parts: PartitionTask['parts'] = [];
  for (const { partId, skinny } of reaching.inside) parts.push({ partId, skinny, ...(await outputsOf(partId)) });
  const around: PartitionTask['around'] = [];
  for (const { partId, skinny } of reaching.around) {
    around.push({ partId, skinny, points: (await outputsOf(partId)).points });
  }
  return { version: 2, order, pixel, rows, parts, around };
}
