import {
  ESTIMATE_SUFFIXES,
  FLAGS_SUFFIX,
  type PhotozColumn,
  photozColumns,
  type TableShape,
  TEMPLATE_SUFFIX,
} from '#core/hats/columns.ts';
import { votableHeader } from '#core/hats/votable.ts';
import { INDEX_COLUMN, indexRange, type Pixel } from '#core/healpix.ts';
import { parquetRelation, quoteIdentifier, quoteLiteral } from '#core/sql.ts';

/**
 * Where an algorithm's estimates are: local Parquet files, which may also hold objects of other partitions. Without
 * any file the algorithm has failed for all objects here, and its columns are NULL.
 */
export interface AlgorithmPoints {
  readonly name: string;
  readonly points: readonly string[];
  /** Whether they also tell the best template. */
  readonly template: boolean;
}

/** The shape of the table that they make together. */
export const shapeOfPoints = (
  coordinates: TableShape['coordinates'],
  algorithms: readonly AlgorithmPoints[],
): TableShape => ({
  coordinates,
  algorithms: algorithms.map(({ name }) => name),
  templates: algorithms.filter(({ template }) => template).map(({ name }) => name),
});

export const KEYS_TABLE = 'leaf_keys';
export const pointsTable = (algorithm: string): string => `points_of_${algorithm}`;

/** An SQL condition that is true for the rows inside a pixel. */
export function insideSql(pixel: Pixel): string {
  const { from, to } = indexRange(pixel);
  return `${INDEX_COLUMN} >= ${from} AND ${INDEX_COLUMN} < ${to}`;
}

/** The objects that fulfil a condition, from skinny parts, as a table of four columns: 32 bytes a row. */
export function createKeysSql(skinny: readonly string[], condition: string): string {
  return `CREATE OR REPLACE TEMP TABLE ${KEYS_TABLE} AS
    SELECT ${INDEX_COLUMN}, objectId, ra, dec FROM ${parquetRelation(skinny)} WHERE ${condition}`;
}

/**
 * The estimates of those objects. What is not finite becomes NULL: one NaN costs a column its statistics. So does a
 * template below 0, which is how codes say that they have none, and the template of an object without estimates.
 */
export function createPointsSql({ name, points, template }: AlgorithmPoints): string {
  const estimates = ESTIMATE_SUFFIXES.map((suffix) => {
    const column = quoteIdentifier(`${name}_${suffix}`);
    return `CASE WHEN isfinite(${column}) THEN ${column}::FLOAT END AS ${column}`;
  });
  const flags = quoteIdentifier(`${name}_${FLAGS_SUFFIX}`);
  const best = quoteIdentifier(`${name}_${TEMPLATE_SUFFIX}`);
  const mode = quoteIdentifier(`${name}_z_mode`);
  const number = `CASE WHEN isfinite(${mode}) AND ${best} >= 0 THEN ${best}::INTEGER END AS ${best}`;
  const columns = [...estimates, ...(template ? [number] : []), `${flags}::INTEGER AS ${flags}`];
  const relation = points.length > 0 ? parquetRelation(points) : nothingSql(name, template);
  return `CREATE OR REPLACE TEMP TABLE ${quoteIdentifier(pointsTable(name))} AS
    SELECT objectId, ${columns.join(', ')} FROM ${relation}
    WHERE objectId IN (SELECT objectId FROM ${KEYS_TABLE})`;
}

/** A relation with an algorithm's columns and no rows. */
function nothingSql(name: string, template: boolean): string {
  const suffixes = [...ESTIMATE_SUFFIXES, ...(template ? [TEMPLATE_SUFFIX] : []), FLAGS_SUFFIX];
  const columns = suffixes.map((suffix) => quoteIdentifier(`${name}_${suffix}`));
  return `(SELECT NULL::BIGINT AS objectId, ${columns.map((column) => `NULL::FLOAT AS ${column}`).join(', ')} LIMIT 0)`;
}

/** Ids that occur more than once, or not at all, in a table; a few suffice for the message. */
export function badIdsSql(table: string): string {
  return `SELECT objectId, count(*) AS times FROM ${quoteIdentifier(table)}
    GROUP BY objectId HAVING count(*) > 1 OR objectId IS NULL ORDER BY objectId LIMIT 3`;
}

/** The rows of the leaf, in the order of the file: every object, with NULL where an algorithm has no estimate. */
export function leafRowsSql(shape: TableShape): string {
  const joins = shape.algorithms.map((name) => `LEFT JOIN ${quoteIdentifier(pointsTable(name))} USING (objectId)`);
  const columns = selectedColumns(photozColumns, shape);
  return `SELECT ${columns} FROM ${KEYS_TABLE} ${joins.join(' ')} ORDER BY ${INDEX_COLUMN}, objectId`;
}

/** The columns of a table with its own names for the coordinates, out of tables that call them `ra` and `dec`. */
export function selectedColumns(
  columnsOf: (shape: TableShape) => readonly PhotozColumn[],
  { coordinates, ...shape }: TableShape,
): string {
  const columns = columnsOf({ ...shape, coordinates: { ra: 'ra', dec: 'dec' } }).map(({ name }) =>
    name === 'ra'
      ? `ra AS ${quoteIdentifier(coordinates.ra)}`
      : name === 'dec'
        ? `dec AS ${quoteIdentifier(coordinates.dec)}`
        : quoteIdentifier(name),
  );
  return columns.join(', ');
}

export interface LeafEncoding {
  /** Rows per row group; DuckDB rounds up to a multiple of 2,048. Small groups make cone searches cheap. */
  readonly rowGroupRows: number;
  /** zstd level, 1 to 22. */
  readonly compressionLevel: number;
}

/** The row groups of hats itself, and zstd at the level from which on a higher one gains less than 1 %. */
export const ENCODING: LeafEncoding = { rowGroupRows: 102_400, compressionLevel: 9 };

/** @param keyValues as `keyValuesSql` writes them; null for none. */
export function writeLeafSql(rows: string, path: string, keyValues: string | null, encoding: LeafEncoding): string {
  const { rowGroupRows, compressionLevel } = encoding;
  const metadata = keyValues === null ? '' : `, KV_METADATA ${keyValues}`;
  return `COPY (${rows}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${compressionLevel},
    PARQUET_VERSION V2, ROW_GROUP_SIZE ${rowGroupRows}${metadata})`;
}

/** Key-value metadata of every leaf, the same in all: the columns' meaning as VOParquet 1.0 has it, and `more`. */
export function leafKeyValuesSql(
  tableName: string,
  description: string,
  columns: readonly PhotozColumn[],
  more: Readonly<Record<string, string>> = {},
): string {
  const pairs = Object.entries({
    'IVOA.VOTable-Parquet.version': '1.0',
    'IVOA.VOTable-Parquet.content': votableHeader(tableName, description, columns),
    ...more,
  });
  return keyValuesSql(pairs);
}

export const keyValuesSql = (pairs: readonly (readonly [string, string])[]): string =>
  `{${pairs.map(([key, value]) => `${quoteLiteral(key)}: ${quoteLiteral(value)}`).join(', ')}}`;
