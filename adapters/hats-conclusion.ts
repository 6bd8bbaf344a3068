import { type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import { checkDocuments } from '#adapters/hats-documents-check.ts';
import type { OutlinedCollection } from '#adapters/hats-outline.ts';
import { engineSays } from '#adapters/hats-partition-queries.ts';
import { concludeParts } from '#adapters/hats-parts-conclusion.ts';
import { checkNamedColumns, shapeOfLeaf } from '#adapters/hats-row-check.ts';
import {
  checkCopies,
  checkDeclaredRows,
  checkSame,
  checkStructure,
  refuseStrays,
  type SoundLeaf,
} from '#adapters/hats-structure-check.ts';
import { checkThumbnail } from '#adapters/hats-thumbnail-check.ts';
import type { Digest } from '#core/digest.ts';
import { mapFiles } from '#core/hats/catalogue-files.ts';
import { photozColumns, type TableShape } from '#core/hats/columns.ts';
import { PART_KINDS, partLeafPath } from '#core/hats/parts.ts';
import type { Properties } from '#core/hats/properties.ts';
import type { Finding, VerifyReport } from '#core/hats/verdict.ts';
import type { PartitionRecord } from '#core/hats/verification.ts';

export interface Evidence {
  /** Of all partitions that were to be looked at. */
  readonly records: readonly PartitionRecord[];
  /** What was found where ids were compared. */
  readonly repeated: readonly Finding[];
}

export interface ConclusionOptions {
  /** What the plan or the delivery says. */
  readonly expectedRows?: number;
  readonly database: DatabaseOptions;
  /** Bytes of the small files that were compared with their digests. */
  readonly onBytes?: (done: number, total: number) => void;
}

/**
 * The last step: judges the collection as a whole by what was found in its partitions. Reads the small files, and of
 * the leaves one of each catalogue; memory goes with the counted pixels, 5.5 million of a survey at order 10.
 */
export async function concludeVerification(
  whole: OutlinedCollection,
  { records, repeated }: Evidence,
  options: ConclusionOptions,
): Promise<VerifyReport> {
  const { manifest, collection, files, findings } = whole;
  await checkDigests(whole, records, options.onBytes ?? (() => {}));
  const checked = await concludeCatalogue(whole, { records, repeated }, options);
  const rows = checked?.rows ?? 0;
  if (checked && manifest && manifest.rows !== rows) {
    findings.add('MANIFEST_ROWS', '', `The leaves hold ${rows} rows, the manifest says ${manifest.rows}.`);
  }
  const { expectedRows } = options;
  if (checked && expectedRows !== undefined && expectedRows !== rows) {
    const text = `The leaves hold ${rows} rows, expected ${expectedRows}.`;
    findings.add('ROWS_EXPECTED', collection?.hats_primary_table_url ?? '', text);
  }
  return {
    sound: findings.kept.length === 0,
    collection: collection?.obs_collection ?? null,
    rows,
    leaves: checked?.leaves ?? 0,
    files: files.size,
    sizeBytes: manifest?.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? 0,
    findings: findings.kept,
    notes: findings.notes,
    suppressed: findings.suppressed + records.reduce((sum, { suppressed }) => sum + suppressed, 0),
  };
}

/**
 * Compares every file with the manifest: leaves as they were when they were looked at, the others here. Only this
 * notices a flipped bit in a data page: DuckDB reads 199 of 200 such files without complaint.
 */
async function checkDigests(
  { source, files, named, outline, findings }: OutlinedCollection,
  records: readonly PartitionRecord[],
  onBytes: (done: number, total: number) => void,
): Promise<void> {
  const looked: ReadonlyMap<string, Digest> = new Map(
    records.flatMap((record) =>
      PART_KINDS.flatMap((kind) => {
        const file = record.files[kind];
        return file && outline
          ? [[`${outline.folders[kind]}/${partLeafPath(kind, record)}`, file.sha256] as const]
          : [];
      }),
    ),
  );
  const small = [...named.values()].filter(({ path }) => !looked.has(path));
  const total = small.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let done = 0;
  for (const { path, sizeBytes, sha256 } of named.values()) {
    const known = looked.get(path);
    if (known === undefined) {
      done += sizeBytes;
      onBytes(done, total);
    }
    // One that is missing or of another size is among the findings already.
    if (files.get(path) !== sizeBytes) continue;
    const actual = known ?? (await source.withFile(path, sha256, (file) => file.digest()));
    if (actual !== sha256) findings.add('FILE_DIGEST', path, `Its sha256 is ${actual}, the manifest says ${sha256}.`);
  }
}

async function concludeCatalogue(
  whole: OutlinedCollection,
  { records, repeated }: Evidence,
  { database }: ConclusionOptions,
): Promise<{ readonly rows: number; readonly leaves: number } | null> {
  const { source, files, manifest, collection, outline, findings } = whole;
  if (!collection || !outline) return null;
  const catalogue = outline.folders.object;
  const properties = whole.properties.object ?? {};
  await checkCopies(source, catalogue, findings);
  const structure = await checkStructure(whole, 'object', catalogue, records, findings);
  const { leaves, rows } = structure;
  refuseStrays(files, 'object', catalogue, findings);
  const usable = properties.dataproduct_type === 'object' && properties.obs_collection !== undefined;
  if (!usable || outline.mapOrder === null || leaves.length === 0) {
    const text = 'It needs obs_collection, dataproduct_type=object, hats_skymap_order and at least one sound leaf.';
    findings.add('PROPERTIES_UNREADABLE', `${catalogue}/properties`, text);
  }
  checkDeclaredRows(catalogue, properties, rows, findings);
  const [first] = leaves;
  if (!first) return { rows, leaves: 0 };
  const shape = await checkTable(whole, catalogue, first, properties, database);
  if (shape === null) return { rows, leaves: leaves.length };

  for (const { record } of leaves) findings.addAll(record.findings.object);
  const readable = leaves.filter(({ record }) => record.readable);
  if (outline.mapOrder !== null) await checkMaps(whole, catalogue, readable, outline.mapOrder);
  const columns = photozColumns(shape);
  await checkThumbnail(whole, { ...structure, leaves: readable }, 'object', columns, database);
  findings.addAll(repeated);
  const primary = { source, catalogue, collection: collection.obs_collection ?? '', shape, leaves: readable };
  await checkDocuments(primary, manifest, files, findings);
  await concludeParts({ whole, primary, records, findings, database });
  return { rows, leaves: leaves.length };
}

/** Whether the columns are those of a photo-z table, by the first leaf; null when the rows make no sense to check. */
async function checkTable(
  { source, findings }: OutlinedCollection,
  catalogue: string,
  { path }: SoundLeaf,
  properties: Properties,
  options: DatabaseOptions,
): Promise<TableShape | null> {
  const where = `${catalogue}/${path}`;
  const found = await source.withFile(where, null, (file) =>
    withDatabase(options, (database) => shapeOfLeaf(database, file.path)),
  );
  if (typeof found === 'string') {
    findings.add('LEAF_UNREADABLE', where, engineSays(found));
    return null;
  }
  checkNamedColumns(found.names, properties, `${catalogue}/properties`, findings);
  if (found.shape === null) findings.add('COLUMNS_UNEXPECTED', where, found.complaint);
  return found.shape;
}

async function checkMaps(
  { source, findings }: OutlinedCollection,
  catalogue: string,
  readable: readonly SoundLeaf[],
  order: number,
): Promise<void> {
  const counts = readable.flatMap(({ record }) => record.counts).sort(([a], [b]) => a - b);
  for (const { path, bytes } of mapFiles({ order, counts })) {
    await checkSame(source, catalogue, path, bytes, 'MAP_DIFFERS', findings);
  }
}
