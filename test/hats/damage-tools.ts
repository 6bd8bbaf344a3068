import { copyFile, mkdir, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { finishCatalogue } from '#adapters/hats-finisher.ts';
import { localLeafTails } from '#adapters/hats-leaf-tails.ts';
import type { PackedLeaf } from '#adapters/hats-packer.ts';
import { readFirstRow } from '#adapters/hats-thumbnail.ts';
import { type PhotozColumn, photozColumns } from '#core/hats/columns.ts';
import { leafPath } from '#core/hats/layout.ts';
import { leafKeyValuesSql } from '#core/hats/leaf.ts';
import { ThriftCursor } from '#core/hats/thrift-compact.ts';
import { CATALOGUE, packBase, SHAPE, type SyntheticCatalogue, sealWhole } from './synthetic-catalogue.ts';

/** Changes one thing in a copy of a collection. */
export type Damaging = (catalogue: SyntheticCatalogue) => Promise<void>;

/** The leaf with the most rows. */
function target(catalogue: SyntheticCatalogue): PackedLeaf {
  const [leaf] = catalogue.leaves.toSorted((a, b) => b.rows - a.rows);
  if (!leaf) throw new Error('the catalogue has no leaves');
  return leaf;
}

export function leafFile(catalogue: SyntheticCatalogue, leaf = target(catalogue)): string {
  return join(catalogue.folder, CATALOGUE, leaf.path);
}

export function sealed(damage: Damaging): Damaging {
  return async (catalogue) => {
    await damage(catalogue);
    await seal(catalogue);
  };
}

/** A manifest that agrees with whatever is there. */
export async function seal({ folder, rows: count }: SyntheticCatalogue): Promise<void> {
  await sealWhole(folder, { rows: count });
}

/** All small files, and the manifest, made anew from the leaves that are there. */
export async function finishAndSeal(
  catalogue: SyntheticCatalogue,
  counts: (catalogue: SyntheticCatalogue) => SyntheticCatalogue['finish']['counts'] = ({ finish }) => finish.counts,
): Promise<void> {
  const { folder, leaves, finish } = catalogue;
  const { rows: count } = await finishCatalogue({
    ...finish,
    folder,
    leaves: localLeafTails(join(folder, CATALOGUE), await measuredAnew(catalogue, leaves)),
    counts: counts(catalogue),
  });
  await sealWhole(folder, { rows: count });
}

/** What packing says of leaves, of the files that are there. */
export async function measuredAnew(
  catalogue: SyntheticCatalogue,
  leaves: readonly PackedLeaf[],
): Promise<PackedLeaf[]> {
  return await Promise.all(
    leaves.map(async (leaf) => ({ ...leaf, ...(await shownAnew(leafFile(catalogue, leaf), photozColumns(SHAPE))) })),
  );
}

export async function shownAnew(path: string, columns: readonly PhotozColumn[]) {
  const thumbnail = await withDatabase({ threads: 1 }, (database) => readFirstRow(database, path, columns));
  return { thumbnail, sizeBytes: (await stat(path)).size };
}

/** The counts without the first ten rows of the largest leaf. */
export function lessRows(catalogue: SyntheticCatalogue): SyntheticCatalogue['finish']['counts'] {
  const { order, pixel } = target(catalogue);
  let left = 10;
  const { order: countOrder, counts } = catalogue.finish.counts;
  const fewer = [...counts].map(([counted, n]): [number, number] => {
    const lost = Math.floor(counted / 4 ** (countOrder - order)) === pixel ? Math.min(left, n) : 0;
    left -= lost;
    return [counted, n - lost];
  });
  return { order: countOrder, counts: fewer };
}

/** Writes the largest leaf anew with other columns or rows, `row` being its row number, then goes on with `next`. */
export async function rewriteAnd(
  catalogue: SyntheticCatalogue,
  columns: string,
  next: Damaging,
  tail = '',
): Promise<void> {
  await rewrite(catalogue, target(catalogue), columns, tail);
  await next(catalogue);
}

export async function rewriteAllAnd(catalogue: SyntheticCatalogue, columns: string, next: Damaging): Promise<void> {
  for (const leaf of catalogue.leaves) await rewrite(catalogue, leaf, columns, '');
  await next(catalogue);
}

async function rewrite(catalogue: SyntheticCatalogue, leaf: PackedLeaf, columns: string, tail: string): Promise<void> {
  await rewriteFile(leafFile(catalogue, leaf), columns, tail);
}

/** Writes a file with the columns of a leaf anew, `row` being its row number. */
export async function rewriteFile(path: string, columns: string, tail = ''): Promise<void> {
  const keyValues = leafKeyValues();
  await withDatabase({ threads: 1 }, async (database) => {
    await database.run(`CREATE TABLE leaf AS SELECT * FROM ${parquetRelation([path])}`);
    await database.run(`COPY (SELECT * EXCLUDE (row) FROM (SELECT ${columns} FROM (SELECT *, row_number() OVER () AS row FROM leaf)) ${tail})
      TO ${quoteLiteral(`${path}.new`)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2, KV_METADATA ${keyValues})`);
  });
  await rename(`${path}.new`, path);
}

/** The key-value metadata of a synthetic catalogue's leaves. */
export function leafKeyValues(): string {
  const { table } = packBase('', { rows: 0, skinny: [], points: [], pdfs: {}, counts: [], missing: 0 });
  return leafKeyValuesSql(table.name, table.description, photozColumns(SHAPE));
}

export async function patch(path: string, position: number, text: string): Promise<void> {
  const bytes = await readFile(path);
  bytes.write(text, position < 0 ? bytes.length + position : position, 'latin1');
  await writeFile(path, bytes);
}

export async function flipBit(catalogue: SyntheticCatalogue): Promise<void> {
  const bytes = await readFile(leafFile(catalogue));
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 4, middle);
  await writeFile(leafFile(catalogue), bytes);
}

export async function cutLeaf(catalogue: SyntheticCatalogue, count: number): Promise<void> {
  const { length } = await readFile(leafFile(catalogue));
  await truncate(leafFile(catalogue), length - count);
}

export async function edit(
  { folder }: SyntheticCatalogue,
  path: string,
  change: (text: string) => string,
): Promise<void> {
  const before = await readFile(join(folder, path), 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`nothing changed in ${path}`);
  await writeFile(join(folder, path), after);
}

export async function editProperties(catalogue: SyntheticCatalogue, change: (text: string) => string): Promise<void> {
  for (const name of ['properties', 'hats.properties']) await edit(catalogue, `${CATALOGUE}/${name}`, change);
}

/** Adds 1 to `num_rows` of the footer, field 3, and leaves the row groups alone. */
export async function countOneMore(catalogue: SyntheticCatalogue): Promise<void> {
  const bytes = await readFile(leafFile(catalogue));
  const cursor = new ThriftCursor(bytes, bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8));
  for (let field = cursor.field(0); field; field = cursor.field(field.id)) {
    // Zigzag: the lowest bit is the sign, so the next one is worth 1. The leaf has an even number of rows or not.
    if (field.id === 3) bytes.writeUInt8(bytes.readUInt8(cursor.position) ^ 2, cursor.position);
    cursor.skip(field.type);
  }
  await writeFile(leafFile(catalogue), bytes);
}

export async function copyLeafInside(catalogue: SyntheticCatalogue): Promise<void> {
  const leaf = target(catalogue);
  const inside = join(catalogue.folder, CATALOGUE, leafPath({ order: leaf.order + 1, pixel: leaf.pixel * 4 }));
  await mkdir(dirname(inside), { recursive: true });
  await copyFile(leafFile(catalogue), inside);
}
