import { z } from 'zod';
import type { TableShape } from '#core/hats/columns.ts';
import { partFolders } from '#core/hats/parts.ts';
import { thumbnailRowSchema } from '#core/hats/thumbnail.ts';
import { digestSchema, nameSchema, objectRefSchema } from '#core/job.ts';

const partInputsSchema = z.strictObject({
  partId: digestSchema,
  skinny: objectRefSchema,
  /** Algorithm -> its points; an algorithm that failed on this part is not there. */
  points: z.record(z.string(), objectRefSchema),
});

/** One partition to pack: the pixel, and every part that holds an object of it. */
export const partitionTaskSchema = z.strictObject({
  version: z.literal(2),
  order: z.int().min(0).max(29),
  pixel: z.int().nonnegative(),
  rows: z.int().positive(),
  /** With the p(z) of each algorithm that has points. */
  parts: z.array(partInputsSchema.extend({ pdfs: z.record(z.string(), objectRefSchema) })),
  /** The other parts that may hold objects of its margin. */
  around: z.array(partInputsSchema),
});
export type PartInputs = z.infer<typeof partInputsSchema>;
export type PartitionTask = z.infer<typeof partitionTaskSchema>;

/** Everything the packing of one campaign shares; lies in the lake. */
export const packingPlanSchema = z.strictObject({
  version: z.literal(3),
  campaign: z.string(),
  release: z.string(),
  title: z.string(),
  algorithms: z.array(z.string()),
  /** Those of them whose best template is delivered. */
  templates: z.array(z.string()),
  /** When the plan was made: the catalogue's own date, so that packing again gives the same bytes. */
  createdAt: z.string(),
  coordinates: z.strictObject({ ra: z.string(), dec: z.string() }),
  /** How far the margin of a partition reaches at least. */
  marginArcsec: z.number().positive(),
  rows: z.int().nonnegative(),
  /** Rows per nested pixel at order 10, over all parts. */
  counts: z.array(z.tuple([z.int().nonnegative(), z.int().positive()])),
  /** Lake prefix of the catalogue, without a trailing slash: named by what makes it. */
  prefix: z.string(),
  /** Folder name of the collection, as delivered. */
  name: z.string(),
});
export type PackingPlan = z.infer<typeof packingPlanSchema>;

/** Where a plan's objects lie in the lake: leaves first, then everything else, the manifest last. */
export const recordPrefix = (plan: PackingPlan) => `${plan.prefix}/records/`;
export const filesPrefix = (plan: PackingPlan) => `${plan.prefix}/files/`;

export const planShape = ({ coordinates, algorithms, templates }: PackingPlan): TableShape => ({
  coordinates,
  algorithms,
  templates,
});

/** The folders of the catalogues inside the collection. */
export const planFolders = (plan: PackingPlan) => partFolders(plan.name, plan.marginArcsec);

/** Where a campaign's packing is described: the plan, and the Distributed Map's list of `partitionOrderSchema`. */
export const packingPlanKey = (campaign: string) => `campaigns/${campaign}/packing.json`;
export const partitionOrdersKey = (campaign: string) => `campaigns/${campaign}/partitions.json`;

/** A line of the Distributed Map's item list: small, it only points. */
export const partitionOrderSchema = z.object({ plan: objectRefSchema, task: objectRefSchema });

/** The input of the steps after packing. */
export const catalogueOrderSchema = z.object({ campaign: nameSchema, plan: objectRefSchema });

const packedFileSchema = z.strictObject({
  /** Relative to the folder of its catalogue. */
  path: z.string(),
  rows: z.int(),
  sizeBytes: z.int(),
  sha256: digestSchema,
  /** How much of the file's end holds its footer. */
  tailBytes: z.int().positive(),
});

/** A file of a catalogue that has a thumbnail, with the row of it. */
const shownFileSchema = packedFileSchema.extend({ thumbnail: thumbnailRowSchema });

/** What one partition became. */
export const packedPartitionSchema = z.strictObject({
  order: z.int(),
  pixel: z.int(),
  object: shownFileSchema,
  /** Null where no object is near the partition. */
  margin: packedFileSchema.nullable(),
  index: packedFileSchema,
  posterior: shownFileSchema,
});
export type PackedPartition = z.infer<typeof packedPartitionSchema>;
