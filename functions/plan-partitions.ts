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
import { ancestor, type Pixel } from '#core/healpix.ts';
import { inOrder } from '#core/in-order.ts';
import { nameSchema, type ObjectRef } from '#core/job.ts';
import { algorithmVersion } from '#core/job-order.ts';
import { readSlice } from '#core/object-slice.ts';
import { largerBytes, type PartOutputs, readPartOutputs } from '#core/part-outputs.ts';
import { type PackingPlan, type PartitionTask, packingPlanKey, partitionOrdersKey } from '#core/partition-task.ts';
import { COUNT_ORDER } from '#core/recipe.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
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
  const { counts, outputs } = await lookAtParts(campaign, row.release, spec.campaign.algorithms, services);
  const { highestOrder } = spec.campaign.partition;
  const maxRows = maxRowsOf(spec.campaign.partition, outputs);
  const coarse = coarsen(counts, COUNT_ORDER - highestOrder);
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
    counts: [...counts],
    prefix: `catalogues/${await catalogueDigest(table, campaign, row.planDigest, spec)}`,
    name: `${row.release}_object_photoz`.replaceAll(/[^a-z0-9_]/g, '_'),
  };
  const planRef = await writeDocument(lake, packingPlanKey(campaign), plan);
  const orders: { campaign: string; plan: ObjectRef; task: ObjectRef }[] = [];
  const reaching = await partsReachingInto(partitions, row.release, plan.marginArcsec, services);
  const writeTask = ([index, partition]: [number, Partition]) => {
    const task = partitionTask(partition, reaching[index] ?? { inside: [], around: [] }, outputs.of);
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

/** What the estimates came to: of each part, and all together. */
interface Outputs {
  readonly of: ReadonlyMap<Digest, PartOutputs>;
  readonly rows: number;
  readonly bytes: number;
}

/** The rows of each counted pixel, and where each part's points and p(z) are. */
async function lookAtParts(
  campaign: string,
  release: string,
  algorithms: readonly string[],
  services: Services,
): Promise<{ readonly counts: ReadonlyMap<number, number>; readonly outputs: Outputs }> {
  const counts = new Map<number, number>();
  const of = new Map<Digest, PartOutputs>();
  const parts = { rows: 0, bytes: 0 };
  const look = async (part: PartRow) => ({
    part,
    pixels: await pixelsOf(part, services),
    output: await readPartOutputs(services.table, campaign, part.partId, algorithms),
  });
  for await (const { part, pixels, output } of inOrder(releaseParts(services.table, release), AT_ONCE, look)) {
    for (const [pixel, rows] of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + rows);
    of.set(part.partId, output);
    parts.rows += part.rows;
    parts.bytes += largerBytes(output);
  }
  return { counts, outputs: { of, ...parts } };
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

function partitionTask(
  { order, pixel, rows }: Partition,
  reaching: Reaching,
  outputs: ReadonlyMap<Digest, PartOutputs>,
): PartitionTask {
  const inputsOf = ({ partId, skinny }: PartRow) => ({ partId, skinny, points: { ...outputs.get(partId)?.points } });
  const parts = reaching.inside.map((part) => ({ ...inputsOf(part), pdfs: { ...outputs.get(part.partId)?.pdfs } }));
  return { version: 2, order, pixel, rows, parts, around: reaching.around.map(inputsOf) };
}
