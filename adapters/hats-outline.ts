import type { CollectionSource } from '#adapters/collection-source.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { COLLECTION_PROPERTIES, DEEPEST_MAP_ORDER, inSkyOrder, MANIFEST, PROPERTIES_NAMES } from '#core/hats/layout.ts';
import { type Manifest, type ManifestFile, manifestSchema } from '#core/hats/manifest.ts';
import {
  INDEXED_COLUMN,
  PART_KINDS,
  type PartKind,
  POSTERIOR_ALIAS,
  POSTERIOR_LINK,
  partLeafPath,
  pixelOfPartLeaf,
} from '#core/hats/parts.ts';
import { type Properties, parseProperties } from '#core/hats/properties.ts';
import { Findings } from '#core/hats/verdict.ts';
import { type Outline, type PartitionLook, pixelName } from '#core/hats/verification.ts';
import type { Pixel } from '#core/healpix.ts';

/** A collection as its list of files and its small files describe it: what there is to look at, partition by partition. */
export interface OutlinedCollection {
  readonly source: CollectionSource;
  readonly files: ReadonlyMap<string, number>;
  readonly manifest: Manifest | null;
  /** The files that the manifest names, by path. */
  readonly named: ReadonlyMap<string, ManifestFile>;
  /** `collection.properties`; null where it is of no use, and then there is nothing else. */
  readonly collection: Properties | null;
  /** The properties of each catalogue, empty where they are missing. */
  readonly properties: Readonly<Partial<Record<PartKind, Properties>>>;
  readonly outline: Outline | null;
  /** In sky order of the catalogue's partitions; then what only other catalogues have. */
  readonly looks: readonly PartitionLook[];
  readonly findings: Findings;
}

export interface OutlineOptions {
  /** The digest of `manifest.json` that the delivery recorded. Without it the manifest is taken at its word. */
  readonly manifestSha256?: Digest;
  /** Partitions whose margin is also looked for by geometry alone; 8. */
  readonly marginSamples?: number;
}

/** Arc seconds; beyond it, cells would be wider than the pixels that intake counts. */
const WIDEST_MARGIN = 143;

/** Looks at what there is: reads the manifest, the properties and the list of files, and nothing else. */
export async function outlineCollection(
  source: CollectionSource,
  { manifestSha256, marginSamples = 8 }: OutlineOptions,
): Promise<OutlinedCollection> {
  const findings = new Findings();
  const files = await source.files();
  const manifest = await readManifest(source, files, manifestSha256, findings);
  const named = new Map((manifest?.files ?? []).map((file) => [file.path, file]));
  if (manifest) compareLists(files, named, findings);
  const collection = await readCollection(source, findings);
  const nothing = { source, files, manifest, named, collection, findings };
  const catalogue = collection?.hats_primary_table_url;
  if (!collection || !catalogue) return { ...nothing, properties: {}, outline: null, looks: [] };

  const folders = { object: catalogue, ...(await namedParts(source, collection, findings)) };
  const properties: Partial<Record<PartKind, Properties>> = {};
  for (const kind of PART_KINDS) {
    const folder = folders[kind];
    if (folder !== undefined) properties[kind] = await readAnyProperties(source, folder);
  }
  const pixels = partitionsOf(files.keys(), folders);
  const mapOrder = Number(properties.object?.hats_skymap_order);
  const margin = Number(properties.margin?.hats_margin_threshold);
  const outline: Outline = {
    version: 1,
    folders,
    mapOrder: Number.isInteger(mapOrder) && mapOrder >= 0 && mapOrder <= DEEPEST_MAP_ORDER ? mapOrder : null,
    marginArcsec: margin > 0 && margin <= WIDEST_MARGIN ? margin : null,
    partitions: pixels.object.map(({ order, pixel }) => [order, pixel]),
  };
  const every = marginSamples > 0 ? Math.max(1, Math.floor(pixels.object.length / marginSamples)) : 1;
  const looks = allOf(pixels).map((pixel, position): PartitionLook => {
    const there: PartitionLook['files'] = {};
    for (const kind of PART_KINDS) {
      const path = `${folders[kind]}/${partLeafPath(kind, pixel)}`;
      const sizeBytes = folders[kind] === undefined ? undefined : files.get(path);
      if (sizeBytes !== undefined) there[kind] = { sizeBytes, sha256: named.get(path)?.sha256 ?? null };
    }
    const sampled = marginSamples > 0 && there.object !== undefined && position % every === 0;
    return { order: pixel.order, pixel: pixel.pixel, sampled, files: there };
  });
  return { ...nothing, properties, outline, looks };
}

/** The pixels of each catalogue's leaves, in sky order. */
function partitionsOf(paths: Iterable<string>, folders: Outline['folders']): Record<PartKind, Pixel[]> {
  const found: Record<PartKind, Pixel[]> = { object: [], margin: [], index: [], posterior: [] };
  const kinds = new Map(PART_KINDS.flatMap((kind) => (folders[kind] === undefined ? [] : [[folders[kind], kind]])));
  for (const path of paths) {
    const slash = path.indexOf('/');
    const kind = kinds.get(path.slice(0, Math.max(0, slash)));
    const pixel = kind === undefined ? null : pixelOfPartLeaf(kind, path.slice(slash + 1));
    if (kind !== undefined && pixel !== null) found[kind].push(pixel);
  }
  for (const kind of PART_KINDS) found[kind].sort(inSkyOrder);
  return found;
}

function allOf(pixels: Readonly<Record<PartKind, readonly Pixel[]>>): readonly Pixel[] {
  const all = new Map<string, Pixel>();
  for (const kind of PART_KINDS) for (const pixel of pixels[kind]) all.set(pixelName(pixel), pixel);
  return [...all.values()];
}

async function readManifest(
  source: CollectionSource,
  files: ReadonlyMap<string, number>,
  expected: Digest | undefined,
  findings: Findings,
): Promise<Manifest | null> {
  const bytes = files.has(MANIFEST) ? await source.bytes(MANIFEST) : null;
  if (bytes === null) {
    findings.add('MANIFEST_MISSING', MANIFEST, 'There is no manifest, so no file can be compared with its digest.');
    return null;
  }
  const actual = sha256(bytes);
  if (expected !== undefined && actual !== expected) {
    findings.add('MANIFEST_REPLACED', MANIFEST, `Its sha256 is ${actual}, the delivery recorded ${expected}.`);
  }
  const parsed = manifestSchema.safeParse(jsonOrNull(bytes.toString('utf8')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const detail = issue ? `${issue.path.join('.') || 'the document'}: ${issue.message}` : 'unknown';
  findings.add('MANIFEST_UNREADABLE', MANIFEST, `It is not a manifest of version 1 (${detail}).`);
  return null;
}

function compareLists(
  files: ReadonlyMap<string, number>,
  named: ReadonlyMap<string, ManifestFile>,
  findings: Findings,
): void {
  for (const { path, sizeBytes } of named.values()) {
    const size = files.get(path);
    if (size === undefined) findings.add('FILE_MISSING', path, 'The manifest names this file; it is not there.');
    else if (size !== sizeBytes) {
      findings.add('FILE_SIZE', path, `It has ${size} bytes, the manifest says ${sizeBytes}.`);
    }
  }
  for (const path of files.keys()) {
    if (path !== MANIFEST && !named.has(path))
      findings.add('FILE_STRAY', path, 'The manifest does not name this file.');
  }
}

async function readCollection(source: CollectionSource, findings: Findings): Promise<Properties | null> {
  const collection = await readProperties(source, COLLECTION_PROPERTIES);
  if (!collection?.obs_collection || !/^(?!\.{1,2}$)[A-Za-z0-9_.-]+$/.test(collection.hats_primary_table_url ?? '')) {
    const text = 'It must be there, with obs_collection and a folder of this collection as hats_primary_table_url.';
    findings.add('COLLECTION_UNREADABLE', COLLECTION_PROPERTIES, text);
    return null;
  }
  return collection;
}

async function readProperties(source: CollectionSource, path: string): Promise<Properties | null> {
  const bytes = await source.bytes(path);
  return bytes === null ? null : parseProperties(bytes.toString('utf8'));
}

async function readAnyProperties(source: CollectionSource, folder: string): Promise<Properties> {
  for (const name of PROPERTIES_NAMES) {
    const found = await readProperties(source, `${folder}/${name}`);
    if (found) return found;
  }
  return {};
}

/** A folder of this collection, or the name of one of its columns. */
const NAME = '(?!\\.{1,2}(?: |$))[A-Za-z0-9_.-]+';

/** What a collection may list so that this verifier can check it: one margin, one index by objectId, one extension. */
const LISTED = {
  margin: { key: 'all_margins', form: new RegExp(`^(?<folder>${NAME})$`) },
  index: { key: 'all_indexes', form: new RegExp(`^${INDEXED_COLUMN} (?<folder>${NAME})$`) },
  posterior: { key: 'all_extensions', form: new RegExp(`^${POSTERIOR_ALIAS} ${POSTERIOR_LINK.replace('.', '\\.')}$`) },
} as const;

/** The folders of the parts that the collection lists. */
async function namedParts(source: CollectionSource, collection: Properties, findings: Findings) {
  const folders: { margin?: string; index?: string; posterior?: string } = {};
  for (const [kind, { key, form }] of Object.entries(LISTED)) {
    const value = collection[key];
    if (!value) continue;
    const matched = form.exec(value);
    const link = kind === 'posterior' && matched ? await readProperties(source, POSTERIOR_LINK) : null;
    const named = kind === 'posterior' ? (link?.hats_assn_join_table_url ?? '') : (matched?.groups?.folder ?? '');
    if (!new RegExp(`^${NAME}$`).test(named)) {
      findings.add('PART_NOT_CHECKED', COLLECTION_PROPERTIES, `It lists ${key} "${value}".`);
    } else if (kind === 'margin' || kind === 'index' || kind === 'posterior') folders[kind] = named;
  }
  return folders;
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
