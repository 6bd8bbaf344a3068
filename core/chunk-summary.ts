import { z } from 'zod';
import { digestSchema } from '#core/job.ts';
import { type ObjectSlice, objectSliceSchema, readSlice } from '#core/object-slice.ts';
import type { ObjectStore } from '#core/ports.ts';
import { BANDS, type Band } from '#core/profile.ts';
import { valueStatisticsSchema } from '#core/value-statistics.ts';

/** Widths of the bins. A bin's number n covers n * width up to (n + 1) * width. */
export const BIN = {
  /** mag */
  magnitude: 0.25,
  /** dex of the magnitude's error */
  logError: 0.25,
  /** mag */
  colour: 0.2,
  /** degrees of ra and of dec, also where ra's are narrow */
  sky: 0.5,
} as const;

const sparse = z.record(z.string(), z.int().positive());
/** Bin (`3`, or `3,-2` of two axes) -> objects. */
export type SparseHistogram = z.infer<typeof sparse>;

const bandSummarySchema = z.strictObject({
  detected: z.int().nonnegative(),
  magnitudes: sparse,
  /** By magnitude and log10 of the error. */
  errors: sparse,
});
export type BandSummary = z.infer<typeof bandSummarySchema>;

/** Which objects a chunk has, to be compared with other chunks': a Parquet file that `adapters/id-writer.ts` wrote. */
export const idListSchema = z.strictObject({
  object: objectSliceSchema,
  rows: z.int().positive(),
  /** The ends of the list, as decimals: 64 bits are more than a number of JSON holds. */
  least: z.string().regex(/^-?\d{1,19}$/),
  greatest: z.string().regex(/^-?\d{1,19}$/),
});
export type IdList = z.infer<typeof idListSchema>;

/** What intake leaves of a chunk for the release's report, so that nobody reads the data again. */
export const chunkSummarySchema = z.strictObject({
  version: z.literal(3),
  chunkId: digestSchema,
  name: z.string(),
  /** Rows of the file, and those that the recipe's cut kept: the rest describes these. */
  rows: z.int().nonnegative(),
  keptRows: z.int().nonnegative(),
  /** Of the file, before the cut. */
  values: valueStatisticsSchema,
  bands: z.partialRecord(z.enum(BANDS), bandSummarySchema),
  /** `u-g` of the next two bands each: `g-r,r-i` -> by the two colours. */
  colours: z.record(z.string(), sparse),
  /** By ra and dec. */
  sky: sparse,
  /** Of the rows that the cut kept; null when it kept none. */
  ids: idListSchema.nullable(),
});
export type ChunkSummary = z.infer<typeof chunkSummarySchema>;

export async function readSummary(lake: Pick<ObjectStore, 'getBytes'>, slice: ObjectSlice): Promise<ChunkSummary> {
  return chunkSummarySchema.parse(JSON.parse(new TextDecoder().decode(await readSlice(lake, slice))));
}

export type DerivedSummary = Pick<ChunkSummary, 'keptRows' | 'bands' | 'colours' | 'sky'>;

/** Three neighbouring bands each, for the colour-colour histograms. */
export const COLOUR_TRIPLES: readonly (readonly [Band, Band, Band])[] = [
  ['u', 'g', 'r'],
  ['g', 'r', 'i'],
  ['r', 'i', 'z'],
  ['i', 'z', 'y'],
];

/** Adds the counts of `from` to `into`. */
export function mergeInto(into: Record<string, number>, from: SparseHistogram): void {
  for (const [bin, objects] of Object.entries(from)) into[bin] = (into[bin] ?? 0) + objects;
}
