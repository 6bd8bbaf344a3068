import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Database, parquetRelation, quoteIdentifier, quoteLiteral, readingFailure } from '#adapters/duckdb.ts';
import { ROWS_AT_ONCE, type Slice, slicesOf } from '#adapters/skinny-slices.ts';
import { healpix29Sql, INDEX_COLUMN, pixelSql } from '#core/healpix.ts';
import type { Profile } from '#core/profile.ts';
import { COUNT_ORDER, partSizes, type Recipe } from '#core/recipe.ts';
import { canonicalColumnsSql } from '#core/skinny-sql.ts';

export interface SkinnyFile {
  readonly path: string;
  readonly rows: number;
  /** Nested HEALPix pixel at order 10 -> rows. */
  readonly pixels: Readonly<Record<string, number>>;
}

export type Derived =
  | { readonly kind: 'parts'; readonly files: readonly SkinnyFile[] }
  /** A data page is damaged: that only shows when all of the file is read. */
  | { readonly kind: 'unreadable'; readonly reason: string };

export interface SkinnyOptions {
  /** The chunk as a relation, where it is more than the file: with E(B-V) of a map. */
  readonly source?: string;
  /** Shown every row of the parts once, some at a time, as a table or a relation in parentheses. */
  readonly look?: (rows: string) => Promise<void>;
  readonly rowsAtOnce?: number;
}

const countRow = z.object({ rows: z.bigint() });
const pixelRow = z.object({ pixel: z.bigint(), rows: z.bigint() });

/** What a cut may speak of and no part has. */
const ABOUT_ROWS = ['primary', 'extendedness', 'ebv'].map(quoteIdentifier).join(', ');
const SORTED_COLUMNS = `"${INDEX_COLUMN}", * EXCLUDE ("${INDEX_COLUMN}")`;

/**
 * Derives the skinny parts of a chunk that lies on the local disk, into `folder`. Equal chunk and recipe give equal
 * bytes: the rows are sorted by (`_healpix_29`, `objectId`), which is unique, and the engine's settings are fixed.
 * Memory is bounded by `rowsAtOnce`, not by the chunk, where the database has a limit and a folder to spill to.
 */
export async function writeSkinnyParts(
  database: Database,
  path: string,
  folder: string,
  profile: Profile,
  recipe: Recipe,
  { source = parquetRelation([path]), look, rowsAtOnce = ROWS_AT_ONCE }: SkinnyOptions = {},
): Promise<Derived> {
  const canonical = `(SELECT * EXCLUDE (${ABOUT_ROWS}) FROM (${canonicalColumnsSql(source, profile, recipe)}))`;
  const indexed = `(${healpix29Sql(canonical, 'ra', 'dec')})`;
  let slices: readonly Slice[];
  let total: number | null = null;
  try {
    slices = await slicesOf(database, { path, canonical, indexed, folder }, rowsAtOnce);
    if (slices.length > 1)
      total = await countRows(
        database,
        slices.map(({ relation }) => relation),
      );
    else await sort(database, indexed, '');
  } catch (error) {
    return { kind: 'unreadable', reason: readingFailure(error) };
  }
  const files: SkinnyFile[] = [];
  let sizes: readonly number[] = [];
  // Rows of the table that are in a part already.
  let done = 0;
  for (const [index, slice] of slices.entries()) {
    if (total !== null)
      await sort(database, slice.relation, index === 0 ? '' : `SELECT * FROM ${rowsOfSkinny(done)} UNION ALL `);
    if (slice.folder !== null) await rm(slice.folder, { recursive: true });
    const rows = await countRows(database, ['skinny']);
    sizes = index === 0 ? partSizes(total ?? rows, recipe.maxRowsPerPart) : sizes;
    done = 0;
    for (let size = sizes[files.length]; size !== undefined && done + size <= rows; size = sizes[files.length]) {
      const target = join(folder, `part-${files.length}.parquet`);
      files.push(await writePart(database, target, size, done));
      done += size;
    }
    await look?.(rowsOfSkinny(0, done));
  }
  await database.run('DROP TABLE skinny');
  return { kind: 'parts', files };
}

/** Makes `skinny` anew, in the order of the parts: the rows of a slice, and what `left` selects of the one before. */
async function sort(database: Database, slice: string, left: string): Promise<void> {
  await database.run(
    `CREATE OR REPLACE TABLE skinny AS SELECT ${SORTED_COLUMNS} FROM (${left}SELECT ${SORTED_COLUMNS} FROM ${slice})
     ORDER BY "${INDEX_COLUMN}", "objectId"`,
  );
}

/** By row number, which a fresh table has without gaps and finds by its zone maps: three times as fast as LIMIT and OFFSET. */
function rowsOfSkinny(from: number, to?: number): string {
  return `(SELECT * FROM skinny WHERE rowid >= ${from}${to === undefined ? '' : ` AND rowid < ${to}`})`;
}

async function countRows(database: Database, relations: readonly string[]): Promise<number> {
  const all = relations.map((relation) => `SELECT count(*) AS rows FROM ${relation}`).join(' UNION ALL ');
  const [counted] = z.array(countRow).parse(await database.rows(`SELECT sum(rows)::BIGINT AS rows FROM (${all})`));
  return Number(counted?.rows ?? 0n);
}

async function writePart(database: Database, path: string, rows: number, offset: number): Promise<SkinnyFile> {
  const window = rowsOfSkinny(offset, offset + rows);
  await database.run(
    `COPY ${window} TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 131072)`,
  );
  const counted = await database.rows(
    `SELECT ${pixelSql(`"${INDEX_COLUMN}"`, COUNT_ORDER)} AS pixel, count(*) AS rows FROM ${window} GROUP BY pixel ORDER BY pixel`,
  );
  const pixels = z.array(pixelRow).parse(counted);
  return { path, rows, pixels: Object.fromEntries(pixels.map((row) => [row.pixel, Number(row.rows)])) };
}
