import { open } from 'node:fs/promises';
import { z } from 'zod';
import { type Database, parquetRelation, quoteIdentifier, readingFailure } from '#adapters/duckdb.ts';
import { judgeKeyColumns, type TableFacts } from '#core/integrity.ts';
import type { Profile } from '#core/profile.ts';

export type Inspection =
  | { readonly kind: 'table'; readonly table: TableFacts }
  | { readonly kind: 'unreadable'; readonly reason: string };

const columnRow = z.object({ column_name: z.string(), column_type: z.string() });
const countRow = z.object({ count: z.bigint() });
const keysRow = z.object({
  null_ids: z.bigint(),
  distinct_ids: z.bigint(),
  rows: z.bigint(),
  bad_coordinates: z.bigint(),
});

const MAGIC = 'PAR1';

/**
 * Looks at a local Parquet file: both magics (DuckDB checks only the trailing one), the footer, the columns, and the
 * keys where their columns are there. A file that cannot be read is an outcome, not an error.
 */
export async function inspectChunk(database: Database, path: string, profile: Profile): Promise<Inspection> {
  const magic = await checkMagic(path);
  if (magic) return { kind: 'unreadable', reason: magic };
  const source = parquetRelation([path]);
  try {
    const described = z.array(columnRow).parse(await database.rows(`DESCRIBE SELECT * FROM ${source}`));
    const columns = new Map(described.map((row) => [row.column_name, row.column_type]));
    const [count] = z.array(countRow).parse(await database.rows(`SELECT count(*) AS count FROM ${source}`));
    const keys = await readKeys(database, source, columns, profile);
    return { kind: 'table', table: { rows: Number(count?.count ?? 0n), columns, keys } };
  } catch (error) {
    return { kind: 'unreadable', reason: readingFailure(error) };
  }
}

async function checkMagic(path: string): Promise<string | null> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    // The shortest Parquet file: two magics and the footer's length between them.
    if (size < 12) return `it has only ${size} bytes`;
    const ends = Buffer.alloc(8);
    await file.read(ends, 0, 4, 0);
    await file.read(ends, 4, 4, size - 4);
    const [start, end] = [ends.toString('latin1', 0, 4), ends.toString('latin1', 4, 8)];
    if (start !== MAGIC) return 'it does not begin with PAR1';
    return end === MAGIC ? null : 'it does not end with PAR1: it may be cut off';
  } finally {
    await file.close();
  }
}

async function readKeys(
  database: Database,
  source: string,
  columns: ReadonlyMap<string, string>,
  profile: Profile,
): Promise<TableFacts['keys']> {
  if (judgeKeyColumns(columns, profile).length > 0) return null;
  const [ra, dec] = [profile.ra, profile.dec].map(quoteIdentifier);
  const id = `TRY_CAST(${quoteIdentifier(profile.id)} AS BIGINT)`;
  const usable = `coalesce(isfinite(${ra}::DOUBLE) AND isfinite(${dec}::DOUBLE) AND ${ra} BETWEEN 0 AND 360 AND abs(${dec}) <= 90, false)`;
  const [row] = z.array(keysRow).parse(
    await database.rows(
      `SELECT count(*) AS rows, count(*) - count(${id}) AS null_ids, count(DISTINCT ${id}) AS distinct_ids,
              count(*) FILTER (NOT ${usable}) AS bad_coordinates FROM ${source}`,
    ),
  );
  if (!row) return null;
  return {
    nullIds: Number(row.null_ids),
    duplicateIds: Number(row.rows - row.null_ids - row.distinct_ids),
    badCoordinates: Number(row.bad_coordinates),
  };
}
