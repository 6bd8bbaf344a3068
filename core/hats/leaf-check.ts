import { ESTIMATE_SUFFIXES, FLAGS_SUFFIX, type TableShape, TEMPLATE_SUFFIX } from '#core/hats/columns.ts';
import type { FindingCode } from '#core/hats/verdict.ts';
import { healpix29Sql, INDEX_COLUMN, indexRange, type Pixel, pixelSql } from '#core/healpix.ts';
import { parquetRelation, quoteIdentifier } from '#core/sql.ts';

/**
 * Redshifts that may be: the grid ends at 3, and interpolating point estimates have gone a little beyond (3.07 in
 * DP2's fzboost).
 */
const REDSHIFT_RANGE = { min: 0, max: 3.1 } as const;

/** Flags are a bit mask; 16 bits leave room for twice the bits in use. */
const FLAGS_LIMIT = 2 ** 16;

/** One thing that must hold for every row of a leaf. */
export interface RowRule {
  readonly code: FindingCode;
  /** What is wrong with the rows that break it, after "{n} rows ". */
  readonly complaint: string;
  /** An SQL condition that is true for the rows that break it. */
  readonly broken: string;
}

/** The rules for the rows of one leaf, over the columns of `leafRelation`. */
export function rowRules(pixel: Pixel, { coordinates, algorithms, templates }: TableShape): readonly RowRule[] {
  const { from, to } = indexRange(pixel);
  const keys = [INDEX_COLUMN, 'objectId', coordinates.ra, coordinates.dec].map(quoteIdentifier);
  const anyMissing = keys.map((key) => `${key} IS NULL`).join(' OR ');
  return [
    { code: 'KEY_MISSING', complaint: 'lack an id, a coordinate or the index', broken: anyMissing },
    {
      code: 'ROW_OUTSIDE_PIXEL',
      complaint: `lie outside pixel ${pixel.pixel} of order ${pixel.order}`,
      broken: `${INDEX_COLUMN} < ${from} OR ${INDEX_COLUMN} >= ${to}`,
    },
    {
      code: 'ROWS_UNSORTED',
      complaint: 'come before a row that they should follow',
      broken: `previous_index > ${INDEX_COLUMN} OR (previous_index = ${INDEX_COLUMN} AND previous_id > objectId)`,
    },
    {
      code: 'INDEX_WRONG',
      complaint: 'have an index that is not that of their coordinates',
      broken: `${INDEX_COLUMN} IS DISTINCT FROM recomputed_index`,
    },
    ...algorithms.flatMap(algorithmRules),
    ...templates.map(templateRule),
  ];
}

function algorithmRules(algorithm: string): readonly RowRule[] {
  const column = (suffix: string) => quoteIdentifier(`${algorithm}_${suffix}`);
  const estimates = ESTIMATE_SUFFIXES.map(column);
  const odds = column('odds');
  const flags = column(FLAGS_SUFFIX);
  const anyOf = (condition: (name: string) => string) => estimates.map(condition).join(' OR ');
  const present = `coalesce(${estimates.join(', ')}) IS NOT NULL`;
  const ascending = ['z_err95_low', 'z_err68_low', 'z_median', 'z_err68_high', 'z_err95_high'].map(column);
  const reversed = ascending.slice(1).map((upper, index) => `${ascending[index]} > ${upper}`);
  const { min, max } = REDSHIFT_RANGE;
  return [
    {
      code: 'VALUE_NOT_FINITE',
      complaint: `have an infinite or undefined estimate of ${algorithm}`,
      broken: anyOf((name) => `NOT isfinite(${name})`),
    },
    {
      code: 'VALUE_OUT_OF_RANGE',
      complaint: `have an estimate of ${algorithm} outside ${min} to ${max}`,
      broken: anyOf((name) => `(isfinite(${name}) AND (${name} < ${min} OR ${name} > ${max}))`),
    },
    {
      code: 'VALUE_OUT_OF_RANGE',
      complaint: `have odds of ${algorithm} outside 0 to 1`,
      broken: `isfinite(${odds}) AND (${odds} < 0 OR ${odds} > 1)`,
    },
    {
      code: 'INTERVAL_REVERSED',
      complaint: `have quantiles of ${algorithm} that do not ascend`,
      broken: reversed.join(' OR '),
    },
    {
      code: 'ESTIMATE_PARTIAL',
      complaint: `have only some of the estimates of ${algorithm}`,
      broken: `${present} AND (${anyOf((name) => `${name} IS NULL`)})`,
    },
    {
      code: 'ESTIMATE_UNEXPLAINED',
      complaint: `have no estimate of ${algorithm} although its flags are 0`,
      broken: `NOT ${present} AND ${flags} = 0`,
    },
    {
      code: 'FLAGS_INVALID',
      complaint: `have flags of ${algorithm} that are missing or no bit mask`,
      broken: `(${present} AND ${flags} IS NULL) OR ${flags} < 0 OR ${flags} >= ${FLAGS_LIMIT}`,
    },
  ];
}

/** Codes count from 0 or 1, and interpolate between the templates of a set: there are hundreds at most. */
const TEMPLATES_LIMIT = 10_000;

function templateRule(algorithm: string): RowRule {
  const [template, best] = [TEMPLATE_SUFFIX, 'z_best'].map((suffix) => quoteIdentifier(`${algorithm}_${suffix}`));
  return {
    code: 'TEMPLATE_INVALID',
    complaint: `have a template of ${algorithm} that is no number of one, or that stands without an estimate`,
    broken: `${template} < 0 OR ${template} >= ${TEMPLATES_LIMIT} OR (${template} IS NOT NULL AND ${best} IS NULL)`,
  };
}

/** One row of counts for a leaf: `total`, and per rule `broken_{i}`. Streams over the file in its order. */
export function leafCheckSql(path: string, rules: readonly RowRule[], { coordinates }: TableShape): string {
  const ordered = `(SELECT *, lag(${INDEX_COLUMN}) OVER () AS previous_index, lag(objectId) OVER () AS previous_id
    FROM ${parquetRelation([path])})`;
  const relation = healpix29Sql(ordered, coordinates.ra, coordinates.dec, { as: 'recomputed_index' });
  const counts = rules.map(({ broken }, index) => `count(*) FILTER (WHERE ${broken}) AS broken_${index}`);
  return `SELECT ${['count(*) AS total', ...counts].join(', ')} FROM (${relation})`;
}

/** How many rows each pixel at `order` holds: [pixel, rows] as `pixel`, `n`. */
export function leafCountsSql(path: string, order: number): string {
  return `SELECT ${pixelSql(INDEX_COLUMN, order)}::DOUBLE AS pixel, count(*)::DOUBLE AS n FROM ${parquetRelation([path])}
    WHERE ${INDEX_COLUMN} IS NOT NULL GROUP BY 1 ORDER BY 1`;
}

/** Rows of a run of ids at most, and gaps that end one, of the whole width. */
const RUN = { rows: 50_000, gaps: 64 } as const;

/**
 * Where a leaf's ids are: `first`, `last` and `rows` of runs without wide gaps. Ids that begin with the number of a
 * tract lie in few places, far from each other. A small leaf is one run.
 */
export function idRunsSql(path: string, rows: number): string {
  if (rows <= RUN.rows) {
    return `SELECT min(objectId)::VARCHAR AS first, max(objectId)::VARCHAR AS last, count(*)::DOUBLE AS rows
      FROM ${parquetRelation([path])} WHERE objectId IS NOT NULL HAVING count(*) > 0`;
  }
  return `WITH ids AS (SELECT objectId::HUGEINT AS id FROM ${parquetRelation([path])} WHERE objectId IS NOT NULL),
    marked AS (SELECT id, CASE WHEN row_number() OVER w % ${RUN.rows} = 0
      OR id - lag(id) OVER w > (SELECT (max(id) - min(id)) // ${RUN.gaps} FROM ids) THEN 1 ELSE 0 END AS begins
      FROM ids WINDOW w AS (ORDER BY id)),
    numbered AS (SELECT id, sum(begins) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS run FROM marked)
    SELECT min(id)::VARCHAR AS first, max(id)::VARCHAR AS last, count(*)::DOUBLE AS rows FROM numbered
    GROUP BY run ORDER BY run`;
}

/** A condition for the ids of a range. */
export const inRangeSql = ({ from, to }: { readonly from: string; readonly to: string | null }): string =>
  `objectId >= ${from} AND ${to === null ? 'true' : `objectId < ${to}`}`;

/** Ids that occur more than once in a table; a few suffice. */
export function repeatedIdsSql(table: string): string {
  return `SELECT objectId, count(*)::INTEGER AS times FROM ${quoteIdentifier(table)}
    GROUP BY objectId HAVING count(*) > 1 ORDER BY objectId LIMIT 5`;
}
