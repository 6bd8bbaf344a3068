import { BANDS, type Band, type Profile } from '#core/profile.ts';
import { cutSql, type Recipe } from '#core/recipe.ts';
import { quoteIdentifier } from '#core/sql.ts';

/** Zero point of fluxes in nJy: m_AB = 31.4 - 2.5 log10(f / nJy) (LSST Data Products Definition Document). */
const NANOJANSKY_ZERO_POINT = 31.4;

/** 2.5 / ln 10: d(mag) = 1.0857... d(flux) / flux. */
const MAGNITUDES_PER_RELATIVE_FLUX = 2.5 / Math.LN10;

/** Far beyond any flux in nJy; a thousand times it is still a number. */
const LARGEST_FLUX = 1e300;

/** Beyond it a magnitude or its error is no measurement; what is below fits 32 bits as a number of 10^-6, dereddened too. */
const LARGEST_MAGNITUDE = 1000;

/** Of a sky where the Galaxy's centre has about 100. */
const LARGEST_EBV = 100;

/** Up to this many decimals both a magnitude's number of steps and a power of ten are exact as FLOAT, so their quotient is the nearest. */
const EXACT_FLOAT_DECIMALS = 4;

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
    ...BANDS.flatMap((band) => readSql(band, profile, recipe)),
  ];
  const keys = ['"objectId"', 'ra', 'dec', ...ABOUT_ROWS.map((name) => quoteIdentifier(name))];
  const measured = BANDS.filter((band) => profile.bands[band]).flatMap((band) => [
    `${stepsSql(magnitudeSql(band, profile, recipe), recipe)} AS steps_${band}`,
    `${stepsSql(errorSql(band, profile), recipe)} AS error_steps_${band}`,
  ]);
  const magnitudes = BANDS.map((band) => `${bandSql(band, `steps_${band}`, profile, recipe)} AS mag_${band}`);
  const errors = BANDS.map(
    (band) => `${bandSql(band, notZero(`error_steps_${band}`), profile, recipe)} AS magerr_${band}`,
  );
  const all = [
    `SELECT "objectId", ra, dec, ${[...magnitudes, ...errors].join(', ')}, ${ABOUT_ROWS.map(quoteIdentifier).join(', ')}`,
    `FROM (SELECT ${[...keys, ...measured].join(', ')} FROM (SELECT ${read.join(', ')} FROM ${source}))`,
  ].join(' ');
  const cut = cutSql(recipe);
  return cut === null ? all : `SELECT * FROM (${all}) WHERE ${cut}`;
}

/** Value and error of a band, both NULL where it was not detected: one of them is missing or not believable. */
function readSql(band: Band, profile: Profile, recipe: Recipe): readonly string[] {
  const column = profile.bands[band];
  if (!column) return [];
  const [value, error] = [asDouble(column.value), asDouble(column.error)];
  // NaN is above all numbers here.
  const conditions =
    profile.kind === 'magnitude'
      ? [`abs(${value}) < ${double(LARGEST_MAGNITUDE)}`, `${error} < ${double(LARGEST_MAGNITUDE)}`]
      : [
          `${value} > 0`,
          `${value} < ${double(LARGEST_FLUX)}`,
          `${error} < ${value} * ${double(LARGEST_MAGNITUDE / MAGNITUDES_PER_RELATIVE_FLUX)}`,
        ];
  conditions.push(`${error} > 0`);
  if (profile.missing.length > 0) {
    const sentinels = profile.missing.map(double).join(', ');
    conditions.push(`${value} NOT IN (${sentinels})`, `${error} NOT IN (${sentinels})`);
  }
  if (recipe.dereddening?.coefficients[band] !== undefined) {
    const ebv = profile.ebv === undefined ? 'NULL' : asDouble(profile.ebv);
    conditions.push(`${ebv} >= 0 AND ${ebv} < ${double(LARGEST_EBV)}`);
  }
  const detected = conditions.join(' AND ');
  // The error of a flux needs no condition of its own: it is divided by the flux.
  const own = profile.kind === 'magnitude' ? `CASE WHEN ${detected} THEN ${error} END` : error;
  return [`CASE WHEN ${detected} THEN ${value} END AS value_${band}`, `${own} AS error_${band}`];
}

function magnitudeSql(band: Band, profile: Profile, recipe: Recipe): string {
  const coefficient = recipe.dereddening?.coefficients[band];
  const extinction = coefficient === undefined ? '' : ` - ${double(coefficient)} * ebv`;
  if (profile.kind === 'magnitude') return `value_${band}${extinction}`;
  return `${double(NANOJANSKY_ZERO_POINT)} - 2.5e0 * log10(value_${band})${extinction}`;
}

function errorSql(band: Band, profile: Profile): string {
  if (profile.kind === 'magnitude') return `error_${band}`;
  return `${double(MAGNITUDES_PER_RELATIVE_FLUX)} * error_${band} / value_${band}`;
}

/** The number of steps of 10^-decimals. The cast rounds halves to even, as numpy does, at a fraction of what `round()` costs. */
function stepsSql(sql: string, { decimals }: Recipe): string {
  return `((${sql}) * ${double(10 ** decimals)})::INTEGER`;
}

/** An error is never rounded to 0, which would be a weight of infinity. NULL stays NULL, which it would not in `greatest`. */
function notZero(steps: string): string {
  return `(${steps} + (${steps} = 0)::INTEGER)`;
}

/** A number of steps as the nearest FLOAT. */
function bandSql(band: Band, steps: string, profile: Profile, { decimals }: Recipe): string {
  if (!profile.bands[band]) return 'NULL::FLOAT';
  const type = decimals <= EXACT_FLOAT_DECIMALS ? 'FLOAT' : 'DOUBLE';
  return `(${steps}::${type} / ${double(10 ** decimals)}::${type})::FLOAT`;
}
