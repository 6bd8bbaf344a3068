import { z } from 'zod';
import { type Database, parquetRelation, quoteIdentifier, readingFailure } from '#adapters/duckdb.ts';
import type { HealpixMap } from '#core/ancillary.ts';
import { pixelCount } from '#core/healpix.ts';

const factsRow = z.object({
  rows: z.bigint(),
  null_pixels: z.bigint(),
  distinct_pixels: z.bigint(),
  outside: z.bigint(),
  usable: z.bigint(),
});

/** What is wrong with a Parquet file that shall be a HEALPix map, in one sentence; null when it is one. */
export async function healpixMapProblem(database: Database, path: string, map: HealpixMap): Promise<string | null> {
  const [pixel, value] = [quoteIdentifier(map.pixel), `${quoteIdentifier(map.value)}::DOUBLE`];
  const most = pixelCount(map.order) - 1;
  try {
    const [facts] = z.array(factsRow).parse(
      await database.rows(
        `SELECT count(*) AS rows, count(*) - count(${pixel}) AS null_pixels, count(DISTINCT ${pixel}::BIGINT) AS distinct_pixels,
                count(*) FILTER (${pixel} NOT BETWEEN 0 AND ${most} OR ${pixel} <> floor(${pixel})) AS outside,
                count(*) FILTER (isfinite(${value}) AND ${value} >= 0) AS usable FROM ${parquetRelation([path])}`,
      ),
    );
    if (!facts || facts.rows === 0n) return 'it has no rows';
    if (facts.outside > 0n)
      return `${facts.outside} rows have a pixel that is none of order ${map.order} (0 to ${most})`;
    if (facts.null_pixels > 0n) return `${facts.null_pixels} rows have no pixel`;
    if (facts.distinct_pixels < facts.rows) return `${facts.rows - facts.distinct_pixels} rows repeat a pixel`;
    return facts.usable === 0n ? `no row has a usable ${map.value} (finite, and 0 or more)` : null;
  } catch (error) {
    return `it cannot be read: ${readingFailure(error)}`;
  }
}

/** The columns of a file of kind `tracts`: the tract's number, and a box in degrees, `ra_from` > `ra_to` across 0. */
export const TRACT_COLUMNS = ['tract', 'ra_from', 'ra_to', 'dec_from', 'dec_to'] as const;

const tractsRow = z.object({ rows: z.bigint(), distinct_tracts: z.bigint(), wrong: z.bigint() });

/** What is wrong with a Parquet file that shall say where each tract lies; null when it does. */
export async function tractsProblem(database: Database, path: string): Promise<string | null> {
  const box = 'ra_from BETWEEN 0 AND 360 AND ra_to BETWEEN 0 AND 360 AND dec_from >= -90 AND dec_to <= 90';
  try {
    const [facts] = z.array(tractsRow).parse(
      await database.rows(
        `SELECT count(*) AS rows, count(DISTINCT tract::BIGINT) AS distinct_tracts,
                count(*) FILTER (NOT coalesce(${box} AND dec_from < dec_to, false)) AS wrong FROM ${parquetRelation([path])}`,
      ),
    );
    if (!facts || facts.rows === 0n) return 'it has no rows';
    if (facts.wrong > 0n) return `${facts.wrong} rows have no box within 0..360 and -90..90 degrees, dec_from < dec_to`;
    if (facts.distinct_tracts < facts.rows)
      return `${facts.rows - facts.distinct_tracts} rows repeat a tract, or have none`;
    return null;
  } catch (error) {
    return `it cannot be read, with the columns ${TRACT_COLUMNS.join(', ')}: ${readingFailure(error)}`;
  }
}
