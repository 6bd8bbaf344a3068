import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Database, withDatabase } from '#adapters/duckdb.ts';
import type { ShownTail, Tails } from '#adapters/hats-leaf-tails.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import type { CatalogueFile } from '#core/hats/catalogue-files.ts';
import type { PhotozColumn } from '#core/hats/columns.ts';
import type { Footer } from '#core/hats/footer.ts';
import { DATA_THUMBNAIL, inSkyOrder } from '#core/hats/layout.ts';
import { ENCODING, keyValuesSql, writeLeafSql } from '#core/hats/leaf.ts';
import { type ThumbnailRow, thumbnailRowSchema, thumbnailRowsSql, thumbnailSql } from '#core/hats/thumbnail.ts';
import type { Pixel } from '#core/healpix.ts';

const found = z.array(z.object({ row: thumbnailRowSchema })).transform((rows) => rows.map(({ row }) => row));

/** The rows of a thumbnail, in its order. */
export async function readThumbnail(database: Database, path: string, columns: readonly PhotozColumn[]) {
  return found.parse(await database.rows(thumbnailRowsSql(path, columns)));
}

/** The row of a leaf that its catalogue's thumbnail shows. */
export async function readFirstRow(
  database: Database,
  path: string,
  columns: readonly PhotozColumn[],
): Promise<ThumbnailRow> {
  const [row] = found.parse(await database.rows(thumbnailRowsSql(path, columns, 1)));
  if (row === undefined) throw new RangeError(`${path} has no row`);
  return row;
}

/** Two are equal when their rows are. */
export const rowDigest = (row: ThumbnailRow): Digest => sha256(JSON.stringify(row));

export interface ShownRow extends Pixel {
  readonly thumbnail: ThumbnailRow;
}

/** Passes the ends of leaves on, and keeps their rows. */
export async function* keepRows(tails: Tails<ShownTail>, kept: ShownRow[]): AsyncIterable<ShownTail> {
  for await (const tail of tails) {
    const { order, pixel, thumbnail } = tail;
    kept.push({ order, pixel, thumbnail });
    yield tail;
  }
}

/** As many rows in one statement as it can be parsed with quickly. */
const ROWS_AT_A_TIME = 100;

/**
 * `data_thumbnail.parquet` with the columns, types and metadata of the leaves: a row for each, in the order of the sky,
 * which is that of `_healpix_29`. It is written in `folder` and read back. Of six algorithms a row takes 1.1 kB as text, and
 * 2.6 kB of p(z); 40,000 of them, as many as 40e9 objects have, take 20 s.
 */
export async function thumbnailFile(
  folder: string,
  columns: readonly PhotozColumn[],
  { keyValues }: Pick<Footer, 'keyValues'>,
  shown: readonly ShownRow[],
): Promise<CatalogueFile> {
  const rows = shown.toSorted(inSkyOrder).map(({ thumbnail }) => thumbnail);
  const partial = join(folder, `${DATA_THUMBNAIL}.partial`);
  await mkdir(folder, { recursive: true });
  try {
    await withDatabase({ threads: 1 }, async (database) => {
      await database.run(`CREATE TEMP TABLE thumbnail AS ${thumbnailSql(rows.slice(0, ROWS_AT_A_TIME), columns)}`);
      for (let next = ROWS_AT_A_TIME; next < rows.length; next += ROWS_AT_A_TIME) {
        await database.run(`INSERT INTO thumbnail ${thumbnailSql(rows.slice(next, next + ROWS_AT_A_TIME), columns)}`);
      }
      await database.run(writeLeafSql('FROM thumbnail', partial, keyValuesSql([...keyValues]), ENCODING));
    });
    return { path: DATA_THUMBNAIL, bytes: await readFile(partial) };
  } finally {
    await rm(partial, { force: true });
  }
}
