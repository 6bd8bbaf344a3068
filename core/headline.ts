import { z } from 'zod';
import { BANDS } from '#core/profile.ts';

const count = z.int().nonnegative();

/** What a release's metadata says of its data: as of the last report. */
export const headlineSchema = z.strictObject({
  at: z.string(),
  chunks: count,
  quarantined: count,
  rows: count,
  keptRows: count,
  /** Null where the survey does not say. */
  primary: count.nullable(),
  tracts: count.nullable(),
  extendedFraction: z.number().nullable(),
  /** AB magnitudes at 5 sigma. */
  depth: z.partialRecord(z.enum(BANDS), z.number()),
  flagged: count,
  drifts: count,
  /** Objects that two chunks both have, over all pairs. */
  sharedObjects: count,
  /** Of the publisher's key numbers: how many there are, and how many differ. */
  keyNumbers: z.strictObject({ compared: count, differ: count }),
});
export type Headline = z.infer<typeof headlineSchema>;
