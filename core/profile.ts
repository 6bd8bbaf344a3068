import { z } from 'zod';
import { type Digest, digestOf } from '#core/digest.ts';

export const BANDS = ['u', 'g', 'r', 'i', 'z', 'y'] as const;
export type Band = (typeof BANDS)[number];

const columnName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'must be a plain column name');

/** How a survey's object table names its columns, what their units are and what means "missing". */
export const profileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/),
  version: z.int().positive(),
  description: z.string().min(1),
  /** Unique within a release; an integer of at most 64 bits. */
  id: columnName,
  /** Degrees, ICRS. */
  ra: columnName,
  dec: columnName,
  /** `magnitude`: AB magnitudes with errors in magnitudes. `flux`: nJy with errors in nJy. */
  kind: z.enum(['magnitude', 'flux']),
  bands: z.partialRecord(z.enum(BANDS), z.strictObject({ value: columnName, error: columnName })),
  /** Values that stand for "not detected" or "not measured", besides null, NaN and the infinities. */
  missing: z.array(z.number()),
  /** The names the delivered table gives its coordinates (Rubin's DP1 says coord_ra, coord_dec; DP2 ra, dec). */
  deliveredCoordinates: z.strictObject({ ra: columnName, dec: columnName }),
});
export type Profile = z.infer<typeof profileSchema>;

/** Changes when a profile reads a catalogue differently; its prose does not count. */
export function profileDigest(profile: Profile): Digest {
  const { description: _prose, name: _name, version: _version, ...reading } = profile;
  return digestOf('catalogue-profile', reading);
}
