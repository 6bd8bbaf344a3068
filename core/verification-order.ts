import { z } from 'zod';
import { findingSchema } from '#core/hats/verdict.ts';
import { partitionLookSchema, pixelName } from '#core/hats/verification.ts';
import type { Pixel } from '#core/healpix.ts';
import { nameSchema, objectRefSchema } from '#core/job.ts';

/** What the steps of a verification share. */
const verificationSchema = z.strictObject({
  campaign: nameSchema,
  /** Lake prefixes, with a slash at the end: of the collection, and of what is found. */
  files: z.string(),
  records: z.string(),
  outline: objectRefSchema,
});
export type Verification = z.infer<typeof verificationSchema>;

/** A line of the first map's list: one partition to look at. */
export const partitionOrderSchema = verificationSchema.extend({ look: partitionLookSchema });
export type PartitionOrder = z.infer<typeof partitionOrderSchema>;

/** A line of the second map's list: a range of ids to compare. */
export const idRangeOrderSchema = verificationSchema.extend({ range: objectRefSchema, record: z.string() });
export type IdRangeOrder = z.infer<typeof idRangeOrderSchema>;

/** The input of the steps between the maps and after them: the lists that the maps worked through. */
export const partitionsLookedSchema = z.object({ campaign: nameSchema, partitions: objectRefSchema });
export const verificationEndSchema = partitionsLookedSchema.extend({ idRanges: objectRefSchema });

/** What was found in one range of ids. */
export const idRecordSchema = z.strictObject({ version: z.literal(1), findings: z.array(findingSchema) });

/**
 * Where the records of a catalogue lie. The name has the manifest's digest, and so all digests: what was found of other
 * files is never taken for what was found of these.
 */
export const recordsPrefix = (catalogue: { readonly prefix: string; readonly manifest: { readonly sha256: string } }) =>
  `${catalogue.prefix}/verification/${catalogue.manifest.sha256}/`;

export const partitionRecordKey = ({ records }: Pick<Verification, 'records'>, pixel: Pixel): string =>
  `${records}partitions/${pixelName(pixel)}.json`;
