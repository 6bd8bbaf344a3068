import { z } from 'zod';
import { BANDS, type Profile } from '#core/profile.ts';
import type { Recipe } from '#core/recipe.ts';
import { canonicalColumnsSql, presentSql } from '#core/skinny-sql.ts';
import { quoteIdentifier } from '#core/sql.ts';

/** Magnitudes that a catalogue may have: from the brightest star that does not blind a camera to beyond any survey. */
export const PLAUSIBLE_MAGNITUDES = { from: 5, to: 40 } as const;

const count = z.int().nonnegative();
const bandStatisticsSchema = z.strictObject({
  /** Rows without a number: null, NaN or infinite. */
  empty: count,
  /** Rows with a sentinel, or with a flux that is not positive. */
  notDetected: count,
  /** Rows with a value to use and an error that is none. */
  errorUnusable: count,
  /** Rows with a magnitude and an error. */
  detected: count,
  /** Detected rows whose magnitude is not plausible. */
  outside: count,
  faintest: z.number().nullable(),
  brightest: z.number().nullable(),
  /** Pearson's correlation of the magnitude and the logarithm of its error; null where it has none. */
  errorCorrelation: z.number().nullable(),
});
export type BandStatistics = z.infer<typeof bandStatisticsSchema>;

/** What a chunk's values are like before any cut, in the survey's own magnitudes. */
export const valueStatisticsSchema = z.strictObject({
  rows: count,
  bands: z.partialRecord(z.enum(BANDS), bandStatisticsSchema),
  /** Rows that are primary; null where the survey does not say. */
  primary: count.nullable(),
  /** Rows with a star-galaxy separator, and those of them that are extended. */
  separated: count.nullable(),
  extended: count.nullable(),
  /** Rows with a usable E(B-V). */
  withEbv: count.nullable(),
});
export type ValueStatistics = z.infer<typeof valueStatisticsSchema>;

/** Counts need no rounding, so the finest the recipe knows; no cut: what a file is like does not depend on what is used of it. */
const AS_PUBLISHED: Recipe = { name: 'as-published', version: 1, description: '-', decimals: 6, maxRowsPerPart: 1 };

/**
 * One query over a file (`source`, a relation), giving one row: `rows`, `primary`, `separated`, `extended`, `with_ebv`,
 * and for each band of the profile `{band}_{statistic}` in the order of `BandStatistics`.
 */
export function valueStatisticsSql(source: string, profile: Profile): readonly [raw: string, measured: string] {
  const bands = BANDS.flatMap((band) => {
    const columns = profile.bands[band];
    return columns ? [{ band, ...columns }] : [];
  });
  const raw = bands.flatMap(({ band, value, error }) => {
    const number = `${quoteIdentifier(value)}::DOUBLE`;
    const present = `(${presentSql(value, profile.missing)})`;
    const usable = profile.kind === 'flux' ? `coalesce(${present} > 0, false)` : `${present} IS NOT NULL`;
    const errorUsable = `coalesce((${presentSql(error, profile.missing)}) > 0, false)`;
    const filled = `coalesce(isfinite(${number}), false)`;
    return [
      `count(*) FILTER (NOT ${filled}) AS ${band}_empty`,
      `count(*) FILTER (${filled} AND NOT ${usable}) AS ${band}_not_detected`,
      `count(*) FILTER (${usable} AND NOT ${errorUsable}) AS ${band}_error_unusable`,
    ];
  });
  const { from, to } = PLAUSIBLE_MAGNITUDES;
  const measured = bands.flatMap(({ band }) => [
    `count(mag_${band}) AS ${band}_detected`,
    `count(*) FILTER (mag_${band} < ${from} OR mag_${band} > ${to}) AS ${band}_outside`,
    `max(mag_${band})::DOUBLE AS ${band}_faintest`,
    `min(mag_${band})::DOUBLE AS ${band}_brightest`,
    `${correlationSql(`mag_${band}`, `ln(magerr_${band})`)} AS ${band}_error_correlation`,
  ]);
  const extendedFrom = (profile.extendedness?.extendedFrom ?? 0).toExponential();
  const about = [
    'count(*) AS rows',
    'count(*) FILTER ("primary" = 1) AS is_primary',
    'count(extendedness) AS separated',
    `count(*) FILTER (extendedness >= ${extendedFrom}) AS extended`,
    'count(ebv) AS with_ebv',
  ];
  const canonical = canonicalColumnsSql(source, profile, AS_PUBLISHED);
  return [
    `SELECT ${['count(*) AS rows', ...raw].join(', ')} FROM ${source}`,
    `SELECT ${[...about, ...measured].join(', ')} FROM (${canonical})`,
  ];
}

/** Sums of what is within a plausible range only, so that no value of a damaged file overflows; NULL for no spread. */
function correlationSql(x: string, y: string): string {
  const within = `abs(${x}) < 100 AND abs(${y}) < 100`;
  const spread = `stddev_pop(CASE WHEN ${within} THEN ${x} END) > 1e-6 AND stddev_pop(CASE WHEN ${within} THEN ${y} END) > 1e-6`;
  return `CASE WHEN ${spread} THEN corr(CASE WHEN ${within} THEN ${x} END, CASE WHEN ${within} THEN ${y} END) END`;
}
