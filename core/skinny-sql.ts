import { BANDS, type Band, type Profile } from '#core/profile.ts';
import { cutSql, type Recipe } from '#core/recipe.ts';
import { quoteIdentifier } from '#core/sql.ts';

/** Zero point of fluxes in nJy: m_AB = 31.4 - 2.5 log10(f / nJy) (LSST Data Products Definition Document). */
const NANOJANSKY_ZERO_POINT = 31.4;

/** 2.5 / ln 10: d(mag) = 1.0857... d(flux) / flux. */
const MAGNITUDES_PER_RELATIVE_FLUX = 2.5 / Math.LN10;

/** Far beyond any magnitude or error, and still a FLOAT: a value whose cast would fail is no measurement. */
const LARGEST = 1e30;

/** A double literal for DuckDB: without the exponent 1.5 would be a DECIMAL and lose the last bits. */
const double = (value: number) => value.toExponential();

const asDouble = (column: string) => `${quoteIdentifier(column)}::DOUBLE`;

/** A value, or NULL when it is missing: null, NaN, infinite or one of the survey's sentinels. */
export function presentSql(column: string, missing: readonly number[]): string {
  const value = asDouble(column);
  const sentinels = missing.length > 0 ? ` AND ${value} NOT IN (${missing.map(double).join(', ')})` : '';
  return `CASE WHEN isfinite(${value})${sentinels} THEN ${value} END`;
}

/** Finite and 0 or more, else NULL: DES says -9 for "no class", and there is no negative E(B-V). */
function notNegativeSql(column: string | undefined): string {
  if (column === undefined) return 'NULL::DOUBLE';
  return `CASE WHEN isfinite(${asDouble(column)}) AND ${asDouble(column)} >= 0 THEN ${asDouble(column)} END`;
}

/** Halves go up. Scaled by a power of ten and back, a division of two exact numbers: what `round()` does, at 3/4 of its cost. */
function rounded(sql: string, decimals: number): string {
  const scale = double(10 ** decimals);
  return `(floor((${sql}) * ${scale} + 0.5e0) / ${scale})`;
}

/** What a cut and the QA may speak of besides the skinny columns. NULL where the profile does not have it. */
const ABOUT_ROWS = ['primary', 'extendedness', 'ebv'] as const;

/**
 * The columns of a skinny part before `_healpix_29`: `objectId`, `ra`, `dec`, `mag_{band}`, `magerr_{band}`, and then
 * `primary` (0 or 1), `extendedness`, `ebv`, which no part has: a row per row of `source` that the recipe's cut keeps.
 *
 * A band that is missing, has a flux that is not positive, or is not in the profile at all is NULL in both columns:
 * "not detected", which each algorithm then treats in its own way. So is every band of a row that has to be dereddened
 * and has no usable E(B-V): a wrong magnitude would be worse than none.
 */
export function canonicalColumnsSql(source: string, profile: Profile, recipe: Recipe): string {
  const { primary, extendedness, ebv } = profile;
  const read = [
    `${quoteIdentifier(profile.id)}::BIGINT AS "objectId"`,
    `${asDouble(profile.ra)} AS ra`,
    `${asDouble(profile.dec)} AS dec`,
    `${primary ? `${quoteIdentifier(primary)}::INTEGER` : 'NULL::INTEGER'} AS "primary"`,
    `${notNegativeSql(extendedness?.column)} AS extendedness`,
    `${notNegativeSql(ebv)} AS ebv`,
    ...Object.entries(profile.bands).flatMap(([band, column]) => [
      `${presentSql(column.value, profile.missing)} AS value_${band}`,
      `${presentSql(column.error, profile.missing)} AS error_${band}`,
    ]),
  ];
  const keys = ['"objectId"', 'ra', 'dec', ...ABOUT_ROWS.map((name) => quoteIdentifier(name))];
  const measured = BANDS.filter((band) => profile.bands[band]).flatMap((band) => [
    `${magnitudeSql(band, profile, recipe)} AS measured_${band}`,
    `${errorSql(band, profile)} AS uncertainty_${band}`,
  ]);
  const magnitudes = BANDS.map((band) => `${bandSql(band, 'measured', profile, recipe)} AS mag_${band}`);
  const errors = BANDS.map((band) => `${bandSql(band, 'uncertainty', profile, recipe)} AS magerr_${band}`);
  const all = [
    `SELECT "objectId", ra, dec, ${[...magnitudes, ...errors].join(', ')}, ${ABOUT_ROWS.map(quoteIdentifier).join(', ')}`,
    `FROM (SELECT ${[...keys, ...measured].join(', ')} FROM (SELECT ${read.join(', ')} FROM ${source}))`,
  ].join(' ');
  const cut = cutSql(recipe);
  return cut === null ? all : `SELECT * FROM (${all}) WHERE ${cut}`;
}

function magnitudeSql(band: Band, profile: Profile, recipe: Recipe): string {
  const coefficient = recipe.dereddening?.coefficients[band];
  const extinction = coefficient === undefined ? '' : ` - ${double(coefficient)} * ebv`;
  if (profile.kind === 'magnitude') return `value_${band}${extinction}`;
  const positive = `CASE WHEN value_${band} > 0 THEN value_${band} END`;
  return `${double(NANOJANSKY_ZERO_POINT)} - 2.5e0 * log10(${positive})${extinction}`;
}

function errorSql(band: Band, profile: Profile): string {
  if (profile.kind === 'magnitude') return `error_${band}`;
  return `CASE WHEN value_${band} > 0 THEN ${double(MAGNITUDES_PER_RELATIVE_FLUX)} * error_${band} / value_${band} END`;
}

/** Detected: a value and an error that are there and believable. An error is never rounded to 0, which would be a weight of infinity. */
function bandSql(band: Band, which: 'measured' | 'uncertainty', profile: Profile, recipe: Recipe): string {
  if (!profile.bands[band]) return 'NULL::FLOAT';
  const detected = `abs(measured_${band}) < ${double(LARGEST)} AND uncertainty_${band} > 0 AND uncertainty_${band} < ${double(LARGEST)}`;
  const value = rounded(`${which}_${band}`, recipe.decimals);
  const least = which === 'measured' ? value : `greatest(${value}, ${double(1 / 10 ** recipe.decimals)})`;
  return `CASE WHEN ${detected} THEN (${least})::FLOAT END`;
}
