import { join } from 'node:path';
import { z } from 'zod';
import { type Database, parquetRelation, quoteLiteral } from '#adapters/duckdb.ts';
import { healpix29Sql, INDEX_COLUMN, pixelSql } from '#core/healpix.ts';

/** What the engine may have in a function of 1.5 GB; the rest is the runtime's, the file system's and the results'. */
export const CHUNK_ENGINE = { threads: 1, memoryLimit: '700MiB' } as const;

/**
 * How many rows are sorted at once: 15 columns and the index are 88 bytes a row, so 180 MB, and about as much again
 * while they are sorted. Larger chunks go through the disk, a slice of the sky at a time.
 */
export const ROWS_AT_ONCE = 2_000_000;

/** Order of the pixels that slices consist of: 7 arc minutes, at most 3 million of them. */
const SLICE_ORDER = 9;

/** What each of several writers may hold back before it writes; DuckDB's own value would fill a function. */
const HELD_BACK_ROWS = 16_384;

/** The rows of a chunk between two values of the index; slices follow each other. */
export interface Slice {
  readonly relation: string;
  /** Only its rows are below; null where they still lie in the chunk. */
  readonly folder: string | null;
}

const countRow = z.object({ rows: z.bigint() });
const boundRow = z.object({ from: z.bigint() });

/**
 * The relation `indexed` in slices of the sky of about `rowsAtOnce` rows: itself when the chunk is small, else files of
 * one pass over it in `folder`. No more than a pixel of order 9 exceeds the number; what sorts a slice may still spill.
 * @param canonical the relation without its index
 * @param path the chunk, for its number of rows
 */
export async function slicesOf(
  database: Database,
  { path, canonical, indexed, folder }: Record<'path' | 'canonical' | 'indexed' | 'folder', string>,
  rowsAtOnce: number,
): Promise<readonly Slice[]> {
  const [counted] = z
    .array(countRow)
    .parse(await database.rows(`SELECT count(*) AS rows FROM ${parquetRelation([path])}`));
  if (Number(counted?.rows ?? 0n) <= rowsAtOnce) return [{ relation: indexed, folder: null }];
  const bounds = await sliceBounds(database, canonical, rowsAtOnce);
  if (bounds.length <= 1) return [{ relation: indexed, folder: null }];
  const number = bounds.map((from, index) => `WHEN "${INDEX_COLUMN}" < ${from} THEN ${index - 1}`).slice(1);
  const slices = join(folder, 'slices');
  await database.run(`SET partitioned_write_flush_threshold = ${HELD_BACK_ROWS}`);
  await database.run(
    `COPY (SELECT *, CASE ${number.join(' ')} ELSE ${bounds.length - 1} END AS slice FROM ${indexed})
     TO ${quoteLiteral(slices)} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (slice), ROW_GROUP_SIZE ${HELD_BACK_ROWS})`,
  );
  return bounds.map((_, index) => {
    const own = join(slices, `slice=${index}`);
    return { relation: parquetRelation([join(own, '*.parquet')]), folder: own };
  });
}

/** Where each slice begins on the index; the first at or below every row's. */
async function sliceBounds(database: Database, canonical: string, rowsAtOnce: number): Promise<readonly bigint[]> {
  const places = healpix29Sql(`(SELECT ra, dec FROM ${canonical})`, 'ra', 'dec');
  const shift = pixelSql(`"${INDEX_COLUMN}"`, SLICE_ORDER);
  const found = await database.rows(
    `SELECT min("${INDEX_COLUMN}") AS "from" FROM (
       SELECT "${INDEX_COLUMN}", (sum(rows) OVER (ORDER BY pixel) - 1) // ${rowsAtOnce} AS slice
       FROM (SELECT ${shift} AS pixel, min("${INDEX_COLUMN}") AS "${INDEX_COLUMN}", count(*) AS rows FROM (${places}) GROUP BY pixel))
     GROUP BY slice ORDER BY slice`,
  );
  return z
    .array(boundRow)
    .parse(found)
    .map(({ from }) => from);
}
