import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readFooterTail } from '#adapters/parquet-footer.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import {
  type CatalogueFile,
  type CountMap,
  collectionProperties,
  type LeafFacts,
  mapFiles,
  metadataFiles,
  type Provenance,
  partitionInfoFile,
  propertiesFiles,
} from '#core/hats/catalogue-files.ts';
import type { TableShape } from '#core/hats/columns.ts';
import { type Footer, schemaDigest } from '#core/hats/footer.ts';
import { readFooterOfTail } from '#core/hats/footer-tail.ts';
import { COLLECTION_PROPERTIES, inSkyOrder, leafPath } from '#core/hats/layout.ts';
import { INDEX_ORDER, indexRange, type Pixel } from '#core/healpix.ts';

/** The end of a leaf file, as `packPartition` measured it (`tailBytes`): from disk, or from one ranged request. */
export interface LeafTail extends Pixel {
  readonly sizeBytes: number;
  readonly tail: Uint8Array;
}

export interface FinishRequest {
  /** The collection's folder; made when it is not there. */
  readonly folder: string;
  readonly collection: string;
  /** The catalogue's name, and its folder inside the collection. */
  readonly catalogue: string;
  readonly shape: TableShape;
  readonly leaves: AsyncIterable<LeafTail> | Iterable<LeafTail>;
  /** How many objects lie where, as intake counted them; at least as deep as the deepest leaf. */
  readonly counts: { readonly order: number; readonly counts: Iterable<readonly [number, number]> };
  readonly provenance: Provenance;
  /**
   * Whether to write `_metadata`, which grows with leaves x row groups x columns (100 bytes each): leave it out when
   * that exceeds the memory at hand; readers do without. True unless set.
   */
  readonly datasetMetadata?: boolean;
}

export interface FinishedCatalogue {
  readonly rows: number;
  readonly leaves: number;
  /** What was written, `path` relative to the collection's folder; for the manifest. */
  readonly files: readonly { readonly path: string; readonly sha256: Digest; readonly sizeBytes: number }[];
}

/**
 * Writes all of a HATS collection but its leaves: properties, partition list, Parquet metadata, sky maps. Needs the
 * ends of the leaves and the counts, not the leaves themselves. Idempotent: equal input gives equal bytes.
 *
 * @throws {InputError} `LEAF_UNREADABLE`, `LEAF_SCHEMA_DIFFERS`, or `LEAF_ROWS_DIFFER` when a leaf does not hold the
 *   rows that were counted in its pixel or a counted pixel has no leaf.
 */
export async function finishCatalogue(request: FinishRequest): Promise<FinishedCatalogue> {
  const { catalogue, shape, provenance, datasetMetadata = true } = request;
  const { first, leaves } = await readLeaves(request.leaves, datasetMetadata);
  const map = sortedMap(request.counts);
  refuseOtherRows(leaves, map);
  const inCatalogue = [
    ...metadataFiles(first, datasetMetadata ? leaves : null),
    ...mapFiles(map),
    partitionInfoFile(leaves),
    ...propertiesFiles(catalogue, shape, leaves, map, provenance),
  ].map(({ path, bytes }) => ({ path: `${catalogue}/${path}`, bytes }));
  const collection = new TextEncoder().encode(collectionProperties(request.collection, catalogue));
  const files = [{ path: COLLECTION_PROPERTIES, bytes: collection }, ...inCatalogue];
  for (const file of files) await writeWhole(request.folder, file);
  return {
    rows: leaves.reduce((sum, { footer }) => sum + footer.rows, 0),
    leaves: leaves.length,
    files: files.map(({ path, bytes }) => ({ path, sha256: sha256(bytes), sizeBytes: bytes.length })),
  };
}

/** The ends of leaves on this machine; `folder` is the catalogue's. */
export async function* localLeafTails(
  folder: string,
  leaves: Iterable<Pixel & { readonly sizeBytes: number }>,
): AsyncIterable<LeafTail> {
  for (const { order, pixel, sizeBytes } of leaves) {
    yield { order, pixel, sizeBytes, tail: await readFooterTail(join(folder, leafPath({ order, pixel }))) };
  }
}

async function readLeaves(tails: FinishRequest['leaves'], keepRowGroups: boolean) {
  let first: { readonly footer: Footer; readonly digest: Digest; readonly path: string } | null = null;
  const leaves: LeafFacts[] = [];
  for await (const { order, pixel, sizeBytes, tail } of tails) {
    const path = leafPath({ order, pixel });
    const reading = readFooterOfTail(tail, sizeBytes);
    if (reading.kind === 'defect') throw unreadable(path, reading.detail);
    const { footer } = reading;
    const digest = schemaDigest(footer);
    first ??= { footer, digest, path };
    if (digest !== first.digest) throw otherSchema(path, first.path);
    const { rows, rowGroups } = footer;
    leaves.push({ order, pixel, sizeBytes, footer: { rows, rowGroups: keepRowGroups ? rowGroups : [] } });
  }
  if (first === null) throw unreadable('the catalogue', 'it has no leaves');
  return { first: first.footer, leaves: leaves.sort(inSkyOrder) };
}

function sortedMap({ order, counts }: FinishRequest['counts']): CountMap {
  const occupied = [...counts].filter(([, rows]) => rows > 0);
  return { order, counts: occupied.sort(([a], [b]) => a - b) };
}

/** Both lists run along the sky, so one pass compares them. */
function refuseOtherRows(leaves: readonly LeafFacts[], { order, counts }: CountMap): void {
  const shift = BigInt(2 * (INDEX_ORDER - order));
  let next = 0;
  for (const leaf of leaves) {
    const to = Number(indexRange(leaf).to >> shift);
    const from = Number(indexRange(leaf).from >> shift);
    let counted = 0;
    for (let entry = counts[next]; entry && entry[0] < to; entry = counts[++next]) {
      if (entry[0] < from) throw rowsDiffer(`pixel ${entry[0]} at order ${order}`, entry[1], 0);
      counted += entry[1];
    }
    if (counted !== leaf.footer.rows) throw rowsDiffer(leafPath(leaf), counted, leaf.footer.rows);
  }
  const left = counts[next];
  if (left) throw rowsDiffer(`pixel ${left[0]} at order ${order}`, left[1], 0);
}

async function writeWhole(folder: string, { path, bytes }: CatalogueFile): Promise<void> {
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, bytes);
}

function unreadable(where: string, detail: string): InputError {
  return new InputError(`${where} cannot be read: ${detail}`, {
    code: 'LEAF_UNREADABLE',
    hint: 'pack this partition again',
  });
}

function otherSchema(path: string, firstPath: string): InputError {
  return new InputError(`${path} has other columns or metadata than ${firstPath}`, {
    code: 'LEAF_SCHEMA_DIFFERS',
    hint: 'pack all partitions of a catalogue with the same table, coordinates and algorithms',
  });
}

function rowsDiffer(where: string, counted: number, packed: number): InputError {
  return new InputError(`${where}: ${counted} objects were counted and ${packed} are packed`, {
    code: 'LEAF_ROWS_DIFFER',
    hint: 'pack the partitions that these counts give, from the parts that they were made from',
  });
}
