import { z } from 'zod';
import { digestSchema, nameSchema, objectRefSchema } from '#core/job.ts';

/** One leaf to pack: the pixel, and every part that holds an object of it. */
export const partitionTaskSchema = z.strictObject({
  version: z.literal(1),
  order: z.int().min(0).max(29),
  pixel: z.int().nonnegative(),
  rows: z.int().positive(),
  parts: z.array(
    z.strictObject({
      partId: digestSchema,
      skinny: objectRefSchema,
      /** Algorithm -> its points; an algorithm that failed on this part is not there. */
      points: z.record(z.string(), objectRefSchema),
    }),
  ),
});
export type PartitionTask = z.infer<typeof partitionTaskSchema>;

/** Everything the packing of one campaign shares; lies in the lake. */
export const packingPlanSchema = z.strictObject({
  version: z.literal(1),
  campaign: z.string(),
  release: z.string(),
  title: z.string(),
  algorithms: z.array(z.string()),
  /** When the plan was made: the catalogue's own date, so that packing again gives the same bytes. */
  createdAt: z.string(),
  coordinates: z.strictObject({ ra: z.string(), dec: z.string() }),
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

/** The catalogue's folder inside the collection. */
export const catalogueFolder = (plan: PackingPlan) => plan.name;

/** A line of the Distributed Map's item list: small, it only points. */
export const partitionOrderSchema = z.object({ plan: objectRefSchema, task: objectRefSchema });

/** The input of the steps after packing. */
export const catalogueOrderSchema = z.object({ campaign: nameSchema, plan: objectRefSchema });

export const packedLeafSchema = z.strictObject({
  order: z.int(),
  pixel: z.int(),
  path: z.string(),
  rows: z.int(),
  sizeBytes: z.int(),
  sha256: digestSchema,
  /** How much of the file's end holds its footer. */
  tailBytes: z.int().positive(),
});
export type PackedLeafRecord = z.infer<typeof packedLeafSchema>;
