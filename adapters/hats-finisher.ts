import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readLeaves, type ShownTail, somePart, type Tails } from '#adapters/hats-leaf-tails.ts';
import { keepRows, type ShownRow, thumbnailFile } from '#adapters/hats-thumbnail.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import {
  type CatalogueFile,
  type CountMap,
  indexPropertiesFiles,
  type LeafFacts,
  mapFiles,
  marginPropertiesFiles,
  metadataFiles,
  type Provenance,
  partitionInfoFile,
  posteriorPropertiesFiles,
  propertiesFiles,
} from '#core/hats/catalogue-files.ts';
import { photozColumns, posteriorColumns, type TableShape } from '#core/hats/columns.ts';
import { COLLECTION_PROPERTIES, leafPath } from '#core/hats/layout.ts';
import { collectionProperties, type PartKind, POSTERIOR_LINK, posteriorLink } from '#core/hats/parts.ts';
import { renderProperties } from '#core/hats/properties.ts';
import { INDEX_ORDER, indexRange } from '#core/healpix.ts';

export interface FinishRequest {
  /** The collection's folder; made when it is not there. */
  readonly folder: string;
  readonly collection: string;
  /** The catalogue's name, and its folder inside the collection. */
  readonly catalogue: string;
  readonly shape: TableShape;
  readonly leaves: Tails<ShownTail>;
  /** How many objects lie where, as intake counted them; at least as deep as the deepest leaf. */
  readonly counts: { readonly order: number; readonly counts: Iterable<readonly [number, number]> };
  readonly provenance: Provenance;
  /**
   * Whether to write `_metadata`, which grows with leaves x row groups x columns (100 bytes each): leave it out when
   * that exceeds the memory at hand; readers do without. True unless set.
   */
  readonly datasetMetadata?: boolean;
  /** What goes with the catalogue in its collection; nothing unless set. */
  readonly parts?: CollectionParts;
}

/** The ends of the files of a collection's other catalogues. */
export interface CollectionParts {
  readonly folders: Readonly<Record<PartKind, string>>;
  readonly marginArcsec: number;
  /** May be without any: an isolated partition has nothing around it, and the collection then no margin. */
  readonly margin: Tails;
  readonly index: Tails;
  readonly posterior: Tails<ShownTail>;
}

export interface FinishedCatalogue {
  readonly rows: number;
  readonly leaves: number;
  /** What was written, `path` relative to the collection's folder; for the manifest. */
  readonly files: readonly { readonly path: string; readonly sha256: Digest; readonly sizeBytes: number }[];
}

/**
 * Writes all of a HATS collection but its leaves: properties, partition list, Parquet metadata, sky maps, thumbnails.
 * Needs the ends and first rows of the leaves and the counts, not the leaves themselves. Idempotent: equal input gives
 * equal bytes.
 *
 * @throws {InputError} `LEAF_UNREADABLE`, `LEAF_SCHEMA_DIFFERS`, or `LEAF_ROWS_DIFFER` when a leaf does not hold the
 *   rows that were counted in its pixel or a counted pixel has no leaf.
 */
export async function finishCatalogue(request: FinishRequest): Promise<FinishedCatalogue> {
  const { catalogue, shape, provenance, datasetMetadata = true } = request;
  const shown: ShownRow[] = [];
  const { first, leaves } = somePart(await readLeaves('object', keepRows(request.leaves, shown), datasetMetadata));
  const map = sortedMap(request.counts);
  refuseOtherRows(leaves, map);
  const own = inFolder(catalogue, [
    ...metadataFiles(first, datasetMetadata ? leaves : null),
    ...mapFiles(map),
    partitionInfoFile(leaves),
    await thumbnailFile(request.folder, photozColumns(shape), first, shown),
    ...propertiesFiles(catalogue, shape, leaves, map, provenance),
  ]);
  const others = request.parts ? await finishParts(request, request.parts, leaves, map) : null;
  const folders = { object: catalogue, ...others?.folders };
  const collection = new TextEncoder().encode(collectionProperties(request.collection, folders));
  const files = [{ path: COLLECTION_PROPERTIES, bytes: collection }, ...own, ...(others?.files ?? [])];
  for (const file of files) await writeWhole(request.folder, file);
  return {
    rows: leaves.reduce((sum, { footer }) => sum + footer.rows, 0),
    leaves: leaves.length,
    files: files.map(({ path, bytes }) => ({ path, sha256: sha256(bytes), sizeBytes: bytes.length })),
  };
}

/** The small files of margin, index and p(z). */
async function finishParts(
  { folder, collection, catalogue: primary, shape, provenance, datasetMetadata = true }: FinishRequest,
  { folders, marginArcsec, ...parts }: CollectionParts,
  primaryLeaves: readonly LeafFacts[],
  map: CountMap,
) {
  const margin = await readLeaves('margin', parts.margin, datasetMetadata);
  // An index is of no use to hats without `_metadata`.
  const index = somePart(await readLeaves('index', parts.index, true));
  const shown: ShownRow[] = [];
  const posterior = somePart(await readLeaves('posterior', keepRows(parts.posterior, shown), datasetMetadata));
  refusePartRows(folders.index, primaryLeaves, index.leaves);
  refusePartRows(folders.posterior, primaryLeaves, posterior.leaves);
  const added = posteriorColumns(shape).flatMap(({ name, algorithm }) => (algorithm === null ? [] : [name]));
  const link = renderProperties('HATS Extension', posteriorLink(collection, folders.posterior, added));
  const files = [
    { path: POSTERIOR_LINK, bytes: new TextEncoder().encode(link) },
    ...inFolder(folders.index, [
      ...metadataFiles(index.first, index.leaves, 'index'),
      ...indexPropertiesFiles({ catalogue: folders.index, primary }, index.leaves, provenance),
    ]),
    ...inFolder(folders.posterior, [
      ...metadataFiles(posterior.first, datasetMetadata ? posterior.leaves : null, 'posterior'),
      ...mapFiles(map),
      partitionInfoFile(posterior.leaves),
      await thumbnailFile(folder, posteriorColumns(shape), posterior.first, shown),
      ...posteriorPropertiesFiles(folders.posterior, shape, posterior.leaves, map, provenance),
    ]),
  ];
  const { index: indexFolder, posterior: posteriorFolder, margin: marginFolder } = folders;
  if (margin === null) return { folders: { index: indexFolder, posterior: posteriorFolder }, files };
  const facts = { catalogue: marginFolder, primary, marginArcsec };
  const marginFiles = inFolder(marginFolder, [
    ...metadataFiles(margin.first, datasetMetadata ? margin.leaves : null, 'margin'),
    partitionInfoFile(margin.leaves),
    ...marginPropertiesFiles(facts, shape, margin.leaves, provenance),
  ]);
  const all = { margin: marginFolder, index: indexFolder, posterior: posteriorFolder };
  return { folders: all, files: [...files, ...marginFiles] };
}

const inFolder = (folder: string, files: readonly CatalogueFile[]): readonly CatalogueFile[] =>
  files.map(({ path, bytes }) => ({ path: `${folder}/${path}`, bytes }));

/** Index and p(z) have the partitions of the catalogue, with as many rows. */
function refusePartRows(folder: string, primary: readonly LeafFacts[], part: readonly LeafFacts[]): void {
  for (const [position, leaf] of primary.entries()) {
    const other = part[position];
    const rows = other?.order === leaf.order && other.pixel === leaf.pixel ? other.footer.rows : 0;
    if (rows !== leaf.footer.rows) throw rowsDiffer(`${folder}: ${leafPath(leaf)}`, leaf.footer.rows, rows);
  }
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

function rowsDiffer(where: string, counted: number, packed: number): InputError {
  return new InputError(`${where}: ${counted} objects were counted and ${packed} are packed`, {
    code: 'LEAF_ROWS_DIFFER',
    hint: 'pack the partitions that these counts give, from the parts that they were made from',
  });
}
