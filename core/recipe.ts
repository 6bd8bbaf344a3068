import { z } from 'zod';
import { type Digest, digestOf } from '#core/digest.ts';
import { BANDS, type Band, type Profile, profileDigest } from '#core/profile.ts';
import { quoteIdentifier } from '#core/sql.ts';

/** What turns a chunk into skinny parts. */
export const recipeSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/),
  version: z.int().positive(),
  description: z.string().min(1),
  /** Magnitudes and their errors are rounded to this many decimals: 4 saves 20 % of FlexZBoost's time (LIneA). */
  decimals: z.int().min(1).max(6),
  /** 130,000 rows is LIneA's unit of work: about 40 s of BPZ or FlexZBoost on one core. */
  maxRowsPerPart: z.int().positive().max(1_000_000),
});
export type Recipe = z.infer<typeof recipeSchema>;

/**
 * The version of the SQL below. Raise it with any change of this file that changes a derived byte: it is part of the
 * recipe's digest, so the plan sees that parts must be derived again.
 */
const DERIVATION_VERSION = 2;

/** Zero point of fluxes in nJy: m_AB = 31.4 - 2.5 log10(f / nJy) (LSST Data Products Definition Document). */
const NANOJANSKY_ZERO_POINT = 31.4;

/** 2.5 / ln 10: d(mag) = 1.0857... d(flux) / flux. */
const MAGNITUDES_PER_RELATIVE_FLUX = 2.5 / Math.LN10;

/** Equal digest means equal skinny parts for equal chunks. */
export function recipeDigest(recipe: Recipe, profile: Profile): Digest {
  return digestOf('skinny-recipe', {
    derivation: DERIVATION_VERSION,
    profile: profileDigest(profile),
    decimals: recipe.decimals,
    maxRowsPerPart: recipe.maxRowsPerPart,
  });
}

/** The name of a skinny part, from all that makes it. */
export function partId(chunkSha256: Digest, recipe: Digest, index: number, count: number): Digest {
  return digestOf('skinny-part', { chunk: chunkSha256, recipe, index, count });
}

/** How `rows` are shared out: as few parts as the limit allows, their sizes differing by at most one row. */
export function partSizes(rows: number, maxRowsPerPart: number): readonly number[] {
  const count = Math.ceil(rows / maxRowsPerPart);
  return Array.from(
    { length: count },
    (_, index) => Math.floor((rows * (index + 1)) / count) - Math.floor((rows * index) / count),
  );
}

/** A double literal for DuckDB: without the exponent 1.5 would be a DECIMAL and lose the last bits. */
const double = (value: number) => value.toExponential();

/** A band's value, or NULL when it is missing: null, NaN, infinite or one of the survey's sentinels. */
function presentSql(column: string, missing: readonly number[]): string {
  const value = `${quoteIdentifier(column)}::DOUBLE`;
  const sentinels = missing.length > 0 ? ` AND ${value} NOT IN (${missing.map(double).join(', ')})` : '';
  return `CASE WHEN isfinite(${value})${sentinels} THEN ${value} END`;
}

function rounded(sql: string, decimals: number): string {
  const scale = double(10 ** decimals);
  return `(floor((${sql}) * ${scale} + 0.5e0) / ${scale})::FLOAT`;
}

/**
 * The columns of a skinny part before `_healpix_29`: `objectId`, `ra`, `dec`, `mag_{band}`, `magerr_{band}`, a row per
 * row of `source`. A band that is missing, has a flux that is not positive, or is not in the profile at all is NULL in
 * both columns: "not detected", which each algorithm then treats in its own way. A detected band's error is never rounded
 * to 0.
 */
export function canonicalColumnsSql(source: string, profile: Profile, recipe: Recipe): string {
  const measured = Object.entries(profile.bands).flatMap(([band, column]) => [
    `${presentSql(column.value, profile.missing)} AS value_${band}`,
    `${presentSql(column.error, profile.missing)} AS error_${band}`,
  ]);
  const keys = [
    `${quoteIdentifier(profile.id)}::BIGINT AS "objectId"`,
    `${quoteIdentifier(profile.ra)}::DOUBLE AS ra`,
    `${quoteIdentifier(profile.dec)}::DOUBLE AS dec`,
  ];
  const magnitudes = BANDS.map((band) => `${measureSql('magnitude', band, profile, recipe)} AS mag_${band}`);
  const errors = BANDS.map((band) => `${measureSql('error', band, profile, recipe)} AS magerr_${band}`);
  return [
    `SELECT "objectId", ra, dec, ${[...magnitudes, ...errors].join(', ')}`,
    `FROM (SELECT ${[...keys, ...measured].join(', ')} FROM ${source})`,
  ].join(' ');
}

/** Far beyond any magnitude or error, and still a FLOAT: a value whose cast would fail is no measurement. */
const LARGEST = double(1e30);

/** A band counts as detected only with a value and an error that are finite, and an error that is positive. */
function detectedSql(band: Band, profile: Profile): string {
  const positiveFlux = profile.kind === 'flux' ? ` AND value_${band} > 0` : '';
  const { magnitude, error } = measuresSql(band, profile);
  const present = `value_${band} IS NOT NULL AND error_${band} > 0${positiveFlux}`;
  return `CASE WHEN ${present} THEN abs(${magnitude}) < ${LARGEST} AND ${error} < ${LARGEST} ELSE false END`;
}

/** The AB magnitude and its error, as doubles; only where the band is present. */
function measuresSql(band: Band, profile: Profile): { readonly magnitude: string; readonly error: string } {
  if (profile.kind === 'magnitude') return { magnitude: `value_${band}`, error: `error_${band}` };
  return {
    magnitude: `${double(NANOJANSKY_ZERO_POINT)} - 2.5e0 * log10(value_${band})`,
    error: `${double(MAGNITUDES_PER_RELATIVE_FLUX)} * error_${band} / value_${band}`,
  };
}

function measureSql(measure: 'magnitude' | 'error', band: Band, profile: Profile, recipe: Recipe): string {
  if (!profile.bands[band]) return 'NULL::FLOAT';
  const nearest = rounded(measuresSql(band, profile)[measure], recipe.decimals);
  // An error of 0 would say "no measurement" to every algorithm, of the brightest objects.
  const value = measure === 'error' ? `greatest(${nearest}, ${double(10 ** -recipe.decimals)}::FLOAT)` : nearest;
  return `CASE WHEN ${detectedSql(band, profile)} THEN ${value} END`;
}

/** The order of the pixel counts that intake leaves for packing: 3.4 arcmin, 12.6 million pixels on the sky. */
export const COUNT_ORDER = 10;
