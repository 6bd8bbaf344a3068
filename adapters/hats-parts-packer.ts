import { join } from 'node:path';
import { z } from 'zod';
import { type Database, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { type WrittenLeaf, writeLeaf } from '#adapters/hats-leaf-writer.ts';
import { copySql, countRows, loadPoints, type PackRequest, packObjects, refuseBadIds } from '#adapters/hats-packer.ts';
import { readFirstRow } from '#adapters/hats-thumbnail.ts';
import { InputError } from '#core/errors.ts';
import { posteriorColumns } from '#core/hats/columns.ts';
import { directoryOf } from '#core/hats/layout.ts';
import { createKeysSql, ENCODING, KEYS_TABLE, leafKeyValuesSql, shapeOfPoints, writeLeafSql } from '#core/hats/leaf.ts';
import { inMarginSql } from '#core/hats/margin.ts';
import { type PartKind, partLeafPath } from '#core/hats/parts.ts';
import {
  createPosteriorSql,
  DELIVERED_GRID,
  GRID_KEY,
  gridSchema,
  POSTERIOR_KEY_VALUES,
  posteriorMissingSql,
  posteriorRowsSql,
  posteriorTable,
} from '#core/hats/posterior.ts';
import type { ThumbnailRow } from '#core/hats/thumbnail.ts';
import { INDEX_COLUMN, type Pixel } from '#core/healpix.ts';

export interface PartsRequest extends PackRequest {
  /** The collection's folder. */
  readonly folder: string;
  /** The folder of each catalogue inside the collection. */
  readonly folders: Readonly<Record<PartKind, string>>;
  readonly marginArcsec: number;
  /** What else holds objects near the partition; the partition's own parts are looked at as well. */
  readonly around: { readonly skinny: readonly string[]; readonly points: Readonly<Record<string, readonly string[]>> };
  /** Algorithm -> local files with p(z). */
  readonly pdfs: Readonly<Record<string, readonly string[]>>;
}

/** A file of one of the collection's catalogues; `path` is relative to that catalogue's folder. */
export interface PackedFile extends WrittenLeaf {
  readonly rows: number;
}

/** A file whose first row is shown in its catalogue's thumbnail. */
interface ShownFile extends PackedFile {
  readonly thumbnail: ThumbnailRow;
}

export interface PackedParts extends Pixel {
  readonly object: ShownFile;
  /** Null where no object is near the partition: a margin has no empty leaves. */
  readonly margin: PackedFile | null;
  readonly index: PackedFile;
  readonly posterior: ShownFile;
}

/**
 * Writes all that a collection holds for one partition: the leaf, its margin, its part of the index, its p(z). Like
 * `packPartition` idempotent and independent of other partitions. p(z) takes 301 bytes a row and algorithm and spills
 * beyond the memory at hand.
 *
 * @throws {InputError} as `packPartition`; `GRID_DIFFERS` and `POSTERIOR_MISSING` when the p(z) are not those of the
 *   estimates.
 */
export async function packParts(request: PartsRequest): Promise<PackedParts> {
  const { folder, folders, pixel } = request;
  return await withDatabase({ threads: 1, ...request.database }, async (database) => {
    const packed = await packObjects(database, { ...request, folder: join(folder, folders.object) });
    const { missing: _missing, order: _order, pixel: _pixel, ...object } = packed;
    const index = await packIndex(database, request, object.rows);
    const posterior = await packPosteriors(database, request, object.rows);
    const margin = await packMargin(database, request);
    return { ...pixel, object, margin, index, posterior };
  });
}

/** The columns that hats-import writes, with its types; sorted by id, so that a reader can skip row groups. */
async function packIndex(database: Database, request: PartsRequest, rows: number): Promise<PackedFile> {
  const { pixel, folder, folders } = request;
  const select = `SELECT objectId, ${INDEX_COLUMN}, ${pixel.order}::UTINYINT AS Norder,
    ${directoryOf(pixel)}::UBIGINT AS Dir, ${pixel.pixel}::UBIGINT AS Npix FROM ${KEYS_TABLE} ORDER BY objectId`;
  const encoding = { ...ENCODING, ...request.encoding };
  const leaf = await writeLeaf(join(folder, folders.index), partLeafPath('index', pixel), (path) =>
    database.run(writeLeafSql(select, path, null, encoding)),
  );
  return { ...leaf, rows };
}

async function packPosteriors(database: Database, request: PartsRequest, rows: number): Promise<ShownFile> {
  const { pixel, folder, folders, table, coordinates, pdfs } = request;
  const shape = shapeOfPoints(coordinates, request.algorithms);
  for (const name of shape.algorithms) {
    const files = pdfs[name] ?? [];
    if (files.length > 0) await refuseOtherGrid(database, name, files);
    await database.run(createPosteriorSql({ name, pdfs: files }));
    await refuseBadIds(database, posteriorTable(name), `the p(z) of ${name}`);
    await refuseMissing(database, name);
  }
  const description = `p(z) of ${table.description}`;
  const columns = posteriorColumns(shape);
  const keyValues = leafKeyValuesSql(folders.posterior, description, columns, POSTERIOR_KEY_VALUES);
  const encoding = { ...ENCODING, ...request.encoding };
  const target = join(folder, folders.posterior);
  const leaf = await writeLeaf(target, partLeafPath('posterior', pixel), (path) =>
    database.run(writeLeafSql(posteriorRowsSql(shape), path, keyValues, encoding)),
  );
  return { ...leaf, rows, thumbnail: await readFirstRow(database, join(target, leaf.path), columns) };
}

/** Takes the place of the partition's own keys and points in the database, so it comes last. */
async function packMargin(database: Database, request: PartsRequest): Promise<PackedFile | null> {
  const { pixel, folder, folders, skinny, around, marginArcsec } = request;
  await database.run(createKeysSql([...skinny, ...around.skinny], inMarginSql(pixel, marginArcsec)));
  await refuseBadIds(database, KEYS_TABLE, 'the skinny parts around the partition');
  const rows = await countRows(database, KEYS_TABLE);
  if (rows === 0) return null;
  for (const algorithm of request.algorithms) {
    const { name, points } = algorithm;
    await loadPoints(database, { ...algorithm, points: [...points, ...(around.points[name] ?? [])] });
  }
  const leaf = await writeLeaf(join(folder, folders.margin), partLeafPath('margin', pixel), (path) =>
    database.run(copySql(request, path)),
  );
  return { ...leaf, rows };
}

const keyValueRows = z.array(z.object({ file_name: z.string(), value: z.string() }));

/** A file that does not say its grid is judged by the number of its values alone. */
async function refuseOtherGrid(database: Database, algorithm: string, files: readonly string[]): Promise<void> {
  const list = files.map(quoteLiteral).join(', ');
  const found = keyValueRows.parse(
    await database.rows(`SELECT file_name, decode(value) AS value FROM parquet_kv_metadata([${list}])
      WHERE decode(key) = ${quoteLiteral(GRID_KEY)}`),
  );
  const isDelivered = ({ value }: { value: string }) => {
    const { zMin, zMax, points } = gridSchema.parse(JSON.parse(value));
    return zMin === DELIVERED_GRID.zMin && zMax === DELIVERED_GRID.zMax && points === DELIVERED_GRID.points;
  };
  if (found.every(isDelivered)) return;
  throw new InputError(`p(z) of ${algorithm} is not on the delivered grid`, {
    code: 'GRID_DIFFERS',
    hint: `p(z) is delivered on ${DELIVERED_GRID.points} points from ${DELIVERED_GRID.zMin} to ${DELIVERED_GRID.zMax}: estimate again with that grid`,
  });
}

async function refuseMissing(database: Database, algorithm: string): Promise<void> {
  const [row] = await database.rows(posteriorMissingSql(algorithm));
  const { n } = z.object({ n: z.bigint() }).parse(row);
  if (n === 0n) return;
  throw new InputError(`${n} objects have estimates of ${algorithm} and no p(z) of ${DELIVERED_GRID.points} values`, {
    code: 'POSTERIOR_MISSING',
    hint: 'give the p(z) that came with the points, of every part',
  });
}
