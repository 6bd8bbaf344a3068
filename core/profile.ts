import { z } from 'zod';
import { checkOverridesSchema, releaseCheckOverridesSchema } from '#core/checks.ts';
import { type Digest, digestOf } from '#core/digest.ts';
import { digestSchema } from '#core/job.ts';

export const BANDS = ['u', 'g', 'r', 'i', 'z', 'y'] as const;
export type Band = (typeof BANDS)[number];

export const columnNameSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'must be a plain column name');

/** How a survey's object table names its columns, what their units are and what means "missing". */
export const profileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/),
  version: z.int().positive(),
  description: z.string().min(1),
  /** Unique within a release; an integer of at most 64 bits. */
  id: columnNameSchema,
  /** Degrees, ICRS. */
  ra: columnNameSchema,
  dec: columnNameSchema,
  /** `magnitude`: AB magnitudes with errors in magnitudes. `flux`: nJy with errors in nJy. */
  kind: z.enum(['magnitude', 'flux']),
  bands: z.partialRecord(z.enum(BANDS), z.strictObject({ value: columnNameSchema, error: columnNameSchema })),
  /** Bands whose columns a file may lack, for instance u where the survey did not look. */
  optionalBands: z.array(z.enum(BANDS)).exactOptional(),
  /** Values that stand for "not detected" or "not measured", besides null, NaN and the infinities. */
  missing: z.array(z.number()),
  /** True, or 1, for the one row that stands for an object where tracts or patches overlap. */
  primary: columnNameSchema.exactOptional(),
  /** A star-galaxy separator: an object from this value on is extended. */
  extendedness: z.strictObject({ column: columnNameSchema, extendedFrom: z.number() }).exactOptional(),
  /** E(B-V) at the object, in magnitudes, as the survey publishes it. */
  ebv: columnNameSchema.exactOptional(),
  /**
   * Which tract, tile or field a row belongs to, a number or a text; objects in two chunks are then counted by pairs of
   * tracts. `bounds`: the sha256 of a registered file of kind `tracts`; every row is then looked for within its box.
   */
  tract: z.strictObject({ column: columnNameSchema, bounds: digestSchema.exactOptional() }).exactOptional(),
  /** The names the delivered table gives its coordinates (Rubin's DP1 says coord_ra, coord_dec; DP2 ra, dec). */
  deliveredCoordinates: z.strictObject({ ra: columnNameSchema, dec: columnNameSchema }),
  /** Checks that this survey wants stricter, milder or with another limit than `core/checks.ts` says. */
  checks: checkOverridesSchema.exactOptional(),
  /** Likewise for what the report of a release checks. */
  releaseChecks: releaseCheckOverridesSchema.exactOptional(),
});
export type Profile = z.infer<typeof profileSchema>;

/** Changes when a profile reads a catalogue differently; its prose, its checks and its tracts do not count. */
export function profileDigest(profile: Profile): Digest {
  const { description: _prose, name: _name, version: _version, tract: _tract, ...judged } = profile;
  const { checks: _checks, releaseChecks: _releaseChecks, ...reading } = judged;
  return digestOf('catalogue-profile', reading);
}

export interface WantedColumn {
  readonly name: string;
  readonly kind: 'integer' | 'number' | 'flag' | 'label';
}

/** The columns a file must have. */
export function neededColumns(profile: Profile): readonly WantedColumn[] {
  const bands = Object.entries(profile.bands).filter(([band]) => !isOptional(profile, band));
  const numbers = [
    ...[profile.ra, profile.dec, profile.ebv, profile.extendedness?.column].filter((name) => name !== undefined),
    ...bands.flatMap(([, { value, error }]) => [value, error]),
  ];
  return [
    { name: profile.id, kind: 'integer' },
    ...numbers.map((name) => ({ name, kind: 'number' }) as const),
    ...(profile.primary ? [{ name: profile.primary, kind: 'flag' } as const] : []),
    ...(profile.tract?.bounds ? [{ name: profile.tract.column, kind: 'label' } as const] : []),
  ];
}

/** The columns a file may have; a band's value comes with its error, or neither is there. */
export function optionalColumns(profile: Profile): readonly WantedColumn[] {
  const bands = Object.entries(profile.bands).filter(([band]) => isOptional(profile, band));
  return [
    ...bands.flatMap(([, { value, error }]) => [value, error].map((name) => ({ name, kind: 'number' }) as const)),
    ...(profile.tract ? [{ name: profile.tract.column, kind: 'label' } as const] : []),
  ];
}

function isOptional(profile: Profile, band: string): boolean {
  return profile.optionalBands?.some((optional) => optional === band) ?? false;
}

/** The profile of one file: without the optional bands, or the tract, whose columns it does not have. */
export function profileOfFile(profile: Profile, columns: { has(name: string): boolean }): Profile {
  const bands = Object.entries(profile.bands).filter(
    ([band, { value, error }]) => !isOptional(profile, band) || (columns.has(value) && columns.has(error)),
  );
  const { tract, ...rest } = profile;
  return { ...rest, ...(tract && columns.has(tract.column) ? { tract } : {}), bands: Object.fromEntries(bands) };
}
