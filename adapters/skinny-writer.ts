import { join } from 'node:path';
import { z } from 'zod';
import { type Database, parquetRelation, quoteIdentifier, quoteLiteral, readingFailure } from '#adapters/duckdb.ts';
import { summarize } from '#adapters/summary-reader.ts';
import type { DerivedSummary } from '#core/chunk-summary.ts';
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
  | { readonly kind: 'parts'; readonly files: readonly SkinnyFile[]; readonly summary: DerivedSummary }
  /** A data page is damaged: that only shows when all of the file is read. */
  | { readonly kind: 'unreadable'; readonly reason: string };

const pixelRow = z.object({ pixel: z.bigint(), rows: z.bigint() });

/** What a cut may speak of and no part has. */
const ABOUT_ROWS = ['primary', 'extendedness', 'ebv'].map(quoteIdentifier).join(', ');

/**
 * Derives the skinny parts of a chunk that lies on the local disk, into `folder`. Equal chunk and recipe give equal
 * bytes: the rows are sorted by (`_healpix_29`, `objectId`), which is unique, and the engine's settings are fixed.
 * @param source the chunk as a relation, where it is more than the file: with E(B-V) of a map.
 */
export async function writeSkinnyParts(
  database: Database,
  path: string,
  folder: string,
  profile: Profile,
  recipe: Recipe,
  source = parquetRelation([path]),
): Promise<Derived> {
  const canonical = canonicalColumnsSql(source, profile, recipe);
  const indexed = healpix29Sql(`(${canonical})`, 'ra', 'dec');
  try {
    await database.run(
      `CREATE OR REPLACE TABLE skinny AS SELECT "${INDEX_COLUMN}", * EXCLUDE ("${INDEX_COLUMN}", ${ABOUT_ROWS}) FROM (${indexed})
       ORDER BY "${INDEX_COLUMN}", "objectId"`,
    );
  } catch (error) {
    return { kind: 'unreadable', reason: readingFailure(error) };
  }
  const summary = await summarize(database, 'skinny');
  const files: SkinnyFile[] = [];
  let offset = 0;
  for (const [index, rows] of partSizes(summary.keptRows, recipe.maxRowsPerPart).entries()) {
    const part = join(folder, `part-${index}.parquet`);
    const window = `(SELECT * FROM skinny LIMIT ${rows} OFFSET ${offset})`;
    await database.run(
      `COPY ${window} TO ${quoteLiteral(part)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 131072)`,
    );
    const counted = await database.rows(
      `SELECT ${pixelSql(`"${INDEX_COLUMN}"`, COUNT_ORDER)} AS pixel, count(*) AS rows FROM ${window} GROUP BY pixel ORDER BY pixel`,
    );
    const pixels = z.array(pixelRow).parse(counted);
    files.push({ path: part, rows, pixels: Object.fromEntries(pixels.map((row) => [row.pixel, Number(row.rows)])) });
    offset += rows;
  }
  await database.run('DROP TABLE skinny');
  return { kind: 'parts', files, summary };
}
