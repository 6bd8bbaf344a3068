import { z } from 'zod';
import { digestSchema, objectRefSchema } from '#core/job.ts';

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

/** A line of the Distributed Map's item list: small, it only points. */
export const partitionOrderSchema = z.object({ plan: objectRefSchema, task: objectRefSchema });

export const packedLeafSchema = z.strictObject({
  order: z.int(),
  pixel: z.int(),
  path: z.string(),
  rows: z.int(),
  sizeBytes: z.int(),
  sha256: digestSchema,
});
export type PackedLeafRecord = z.infer<typeof packedLeafSchema>;
