import { join } from 'node:path';
import { z } from 'zod';
import { type Database, type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import { type WrittenLeaf, writeLeaf } from '#adapters/hats-leaf-writer.ts';
import { readFirstRow } from '#adapters/hats-thumbnail.ts';
import { InputError } from '#core/errors.ts';
import { photozColumns, type TableShape } from '#core/hats/columns.ts';
import { leafPath } from '#core/hats/layout.ts';
import {
  type AlgorithmPoints,
  badIdsSql,
  createKeysSql,
  createPointsSql,
  ENCODING,
  insideSql,
  KEYS_TABLE,
  type LeafEncoding,
  leafKeyValuesSql,
  leafRowsSql,
  pointsTable,
  shapeOfPoints,
  writeLeafSql,
} from '#core/hats/leaf.ts';
import type { ThumbnailRow } from '#core/hats/thumbnail.ts';
import type { Pixel } from '#core/healpix.ts';

export interface PackRequest {
  /** The catalogue's folder (the one that gets `dataset/`). */
  readonly folder: string;
  readonly pixel: Pixel;
  /** Name and description of the table, for the metadata inside the file; the same for all leaves. */
  readonly table: { readonly name: string; readonly description: string };
  /** Names of the coordinates in the delivered table. */
  readonly coordinates: TableShape['coordinates'];
  /** Local skinny parts that hold all objects of the pixel; objects of other pixels are passed over. */
  readonly skinny: readonly string[];
  /** In the order of the table's columns. */
  readonly algorithms: readonly AlgorithmPoints[];
  /** What the plan counted in this pixel. */
  readonly expectedRows?: number;
  readonly encoding?: Partial<LeafEncoding>;
  /** Bounds of the engine. With a temporary folder, what does not fit in memory is spilled there. */
  readonly database?: DatabaseOptions;
}

export interface PackedLeaf extends Pixel, WrittenLeaf {
  readonly rows: number;
  /** Objects without any row from the algorithm. */
  readonly missing: Readonly<Record<string, number>>;
  readonly thumbnail: ThumbnailRow;
}

/**
 * Writes one leaf of the catalogue: idempotent (equal input gives equal bytes, and the file appears whole under its
 * name or not at all) and independent of all other leaves. One core suffices; memory is bounded by the partition's
 * rows, about 32 + 40 bytes per algorithm for each.
 *
 * @throws {InputError} `OBJECT_ID_NOT_UNIQUE` when an object is there twice, or has no id, in the skinny parts or in
 *   an algorithm's points; `ROWS_UNEXPECTED` when the pixel holds other than `expectedRows` objects, or none.
 */
export async function packPartition(request: PackRequest): Promise<PackedLeaf> {
  return await withDatabase({ threads: 1, ...request.database }, (database) => packObjects(database, request));
}

/** As `packPartition`, in a database that then holds the partition's keys and points, for the other parts. */
export async function packObjects(database: Database, request: PackRequest): Promise<PackedLeaf> {
  const { folder, pixel, algorithms } = request;
  const rows = await loadKeys(database, request);
  const missing: Record<string, number> = {};
  for (const algorithm of algorithms) missing[algorithm.name] = rows - (await loadPoints(database, algorithm));
  const leaf = await writeLeaf(folder, leafPath(pixel), (path) => database.run(copySql(request, path)));
  const columns = photozColumns(shapeOfPoints(request.coordinates, algorithms));
  const thumbnail = await readFirstRow(database, join(folder, leaf.path), columns);
  return { ...pixel, ...leaf, rows, missing, thumbnail };
}

/** Writes the rows of the keys' table with their estimates, whatever rows those are. */
export function copySql(
  { table, coordinates, algorithms, encoding }: Omit<PackRequest, 'folder'>,
  path: string,
): string {
  const shape = shapeOfPoints(coordinates, algorithms);
  const keyValues = leafKeyValuesSql(table.name, table.description, photozColumns(shape));
  return writeLeafSql(leafRowsSql(shape), path, keyValues, { ...ENCODING, ...encoding });
}

/** @returns how many objects the pixel holds. */
async function loadKeys(database: Database, { skinny, pixel, expectedRows }: PackRequest): Promise<number> {
  await database.run(createKeysSql(skinny, insideSql(pixel)));
  await refuseBadIds(database, KEYS_TABLE, 'the skinny parts');
  const rows = await countRows(database, KEYS_TABLE);
  if (rows === 0 || (expectedRows !== undefined && rows !== expectedRows)) {
    const expected = expectedRows === undefined ? 'at least one' : String(expectedRows);
    throw new InputError(`pixel ${pixel.pixel} at order ${pixel.order} holds ${rows} objects, expected ${expected}`, {
      code: 'ROWS_UNEXPECTED',
      hint: 'give all skinny parts that the counts were made from, and no others',
    });
  }
  return rows;
}

/** @returns for how many objects of the partition the algorithm has a row. */
export async function loadPoints(database: Database, algorithm: AlgorithmPoints): Promise<number> {
  const table = pointsTable(algorithm.name);
  await database.run(createPointsSql(algorithm));
  await refuseBadIds(database, table, `the points of ${algorithm.name}`);
  return await countRows(database, table);
}

const badIdRow = z.object({ objectId: z.bigint().nullable(), times: z.bigint() });

export async function refuseBadIds(database: Database, table: string, where: string): Promise<void> {
  const found = z.array(badIdRow).parse(await database.rows(badIdsSql(table)));
  if (found.length === 0) return;
  const list = found.map(({ objectId, times }) => `${objectId ?? 'a missing id'} (${times} times)`);
  throw new InputError(`objectId is not unique in ${where}: ${list.join(', ')}`, {
    code: 'OBJECT_ID_NOT_UNIQUE',
    hint: 'a part was given twice, or two parts hold the same object: give each part of the plan once',
  });
}

export async function countRows(database: Database, table: string): Promise<number> {
  const [row] = await database.rows(`SELECT count(*) AS n FROM ${table}`);
  return Number(z.object({ n: z.bigint() }).parse(row).n);
}
