import { z } from 'zod';
import { BANDS, type Band, type Profile } from '#core/profile.ts';
import type { Recipe } from '#core/recipe.ts';
import { canonicalColumnsSql, presentSql } from '#core/skinny-sql.ts';
import { quoteIdentifier } from '#core/sql.ts';

/** Magnitudes that a catalogue may have: from the brightest star that does not blind a camera to beyond any survey. */
export const PLAUSIBLE_MAGNITUDES = { from: 5, to: 40 } as const;

/** Errors of objects at 4.5 to 5.5 sigma: 1.0857 / (S/N). Their mean magnitude is the depth of a band. */
const DEPTH_ERRORS = { from: 1.0857 / 5.5, to: 1.0857 / 4.5 } as const;

/** Fewer objects near 5 sigma say nothing of a depth. */
const ENOUGH_FOR_DEPTH = 20;

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
  /** Of the objects near 5 sigma: how many, and the sum of their magnitudes. Before any cut, which would end it early. */
  depth: z.strictObject({ objects: count, sum: z.number() }),
});
export type BandStatistics = z.infer<typeof bandStatisticsSchema>;

const tractStatisticsSchema = z.strictObject({
  /** Tract -> rows of the file. */
  rows: z.record(z.string(), z.int().positive()),
  /** Null where no file of bounds is registered for the survey. */
  bounds: z
    .strictObject({
      /** Rows outside their tract's box, and rows whose tract has none. */
      outside: count,
      unknown: count,
      /** The tract with the most rows outside. */
      worst: z.string().nullable(),
    })
    .nullable(),
});
export type TractStatistics = z.infer<typeof tractStatisticsSchema>;

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
  /** Null where the catalogue does not say which tract a row belongs to. */
  tracts: tractStatisticsSchema.nullable(),
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
    `count(*) FILTER (${nearDepthSql(band)}) AS ${band}_depth_objects`,
    // Rounded, because the order in which a parallel sum adds up is not fixed.
    `round(sum(mag_${band}::DOUBLE) FILTER (${nearDepthSql(band)}), 3) AS ${band}_depth_sum`,
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

/** Mean magnitude at 5 sigma, or null where too few objects are near it. */
export function depthOf({ depth }: Pick<BandStatistics, 'depth'>): number | null {
  return depth.objects < ENOUGH_FOR_DEPTH ? null : depth.sum / depth.objects;
}

function nearDepthSql(band: Band): string {
  const { from, to } = PLAUSIBLE_MAGNITUDES;
  const errors = `magerr_${band} BETWEEN ${DEPTH_ERRORS.from} AND ${DEPTH_ERRORS.to}`;
  return `${errors} AND mag_${band} BETWEEN ${from} AND ${to}`;
}

/** Sums of what is within a plausible range only, so that no value of a damaged file overflows; NULL for no spread. */
function correlationSql(x: string, y: string): string {
  const within = `abs(${x}) < 100 AND abs(${y}) < 100`;
  const spread = `stddev_pop(CASE WHEN ${within} THEN ${x} END) > 1e-6 AND stddev_pop(CASE WHEN ${within} THEN ${y} END) > 1e-6`;
  return `CASE WHEN ${spread} THEN corr(CASE WHEN ${within} THEN ${x} END, CASE WHEN ${within} THEN ${y} END) END`;
}
