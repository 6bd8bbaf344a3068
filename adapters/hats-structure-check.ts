import type { CollectionSource } from '#adapters/collection-source.ts';
import { checkMetadata } from '#adapters/hats-metadata-check.ts';
import type { OutlinedCollection } from '#adapters/hats-outline.ts';
import { readFooter } from '#adapters/parquet-footer.ts';
import type { Digest } from '#core/digest.ts';
import { partitionInfoFile } from '#core/hats/catalogue-files.ts';
import type { TableShape } from '#core/hats/columns.ts';
import { commonMetadataFile, type Footer } from '#core/hats/footer.ts';
import {
  COMMON_METADATA,
  inSkyOrder,
  leafPath,
  METADATA,
  PARTITION_INFO,
  PROPERTIES_NAMES,
} from '#core/hats/layout.ts';
import { belongsTo, type PartKind, partLeafPath } from '#core/hats/parts.ts';
import type { Properties } from '#core/hats/properties.ts';
import type { Findings } from '#core/hats/verdict.ts';
import { footerOf, type NamedFooter, type PartitionRecord } from '#core/hats/verification.ts';
import { indexRange, type Pixel } from '#core/healpix.ts';

/** A leaf whose frame and schema are as they should be; `path` is relative to the catalogue's folder. */
export interface SoundLeaf extends Pixel {
  readonly path: string;
  readonly footer: NamedFooter;
  readonly record: PartitionRecord;
}

export interface CatalogueStructure {
  readonly folder: string;
  /** In sky order. */
  readonly leaves: readonly SoundLeaf[];
  /** Of one of those leaves; null where there is none. */
  readonly footer: Footer | null;
  /** By all footers that could be read. */
  readonly rows: number;
}

/** The catalogue that the parts belong to, as far as it could be read. */
export interface PrimaryCatalogue {
  readonly source: CollectionSource;
  /** Its name, and its folder inside the collection. */
  readonly catalogue: string;
  readonly collection: string;
  readonly shape: TableShape;
  readonly leaves: readonly SoundLeaf[];
}

/** Both copies of a catalogue's properties must be there and be equal. */
export async function checkCopies(source: CollectionSource, folder: string, findings: Findings): Promise<void> {
  const [one, other] = await Promise.all(PROPERTIES_NAMES.map((name) => source.bytes(`${folder}/${name}`)));
  if (one && other && one.equals(other)) return;
  const text = `It and ${PROPERTIES_NAMES[1]} must both be there and be equal.`;
  findings.add('PROPERTIES_DIFFER', `${folder}/${PROPERTIES_NAMES[0]}`, text);
}

export function checkDeclaredRows(folder: string, properties: Properties, rows: number, findings: Findings): void {
  if (properties.hats_nrows === String(rows)) return;
  const text = `hats_nrows is ${properties.hats_nrows ?? 'missing'}, the leaves hold ${rows} rows.`;
  findings.add('ROWS_DECLARED', `${folder}/properties`, text);
}

/** No reader looks at other files than these. */
export function refuseStrays(
  files: ReadonlyMap<string, number>,
  kind: PartKind,
  folder: string,
  findings: Findings,
): void {
  for (const path of files.keys()) {
    if (!path.startsWith(`${folder}/`) || belongsTo(kind, path.slice(folder.length + 1))) continue;
    findings.add('FILE_STRAY', path, 'No reader of the catalogue knows this file.');
  }
}

/**
 * Compares what the records say of one catalogue's leaves with each other, and the files made from their footers byte
 * for byte with what they should be.
 */
export async function checkStructure(
  { source, files }: OutlinedCollection,
  kind: PartKind,
  folder: string,
  records: readonly PartitionRecord[],
  findings: Findings,
): Promise<CatalogueStructure> {
  const there = records.filter((record) => record.files[kind] !== undefined).sort(inSkyOrder);
  checkPixels(folder, there, findings);
  if (kind !== 'index') {
    await checkSame(source, folder, PARTITION_INFO, partitionInfoFile(there).bytes, 'PARTITIONS_LISTED', findings);
  }
  const all: SoundLeaf[] = [];
  for (const record of there) {
    const footer = footerOf(record, kind);
    const { order, pixel } = record;
    const path = partLeafPath(kind, record);
    if (footer) all.push({ order, pixel, path, footer, record });
    else findings.add('LEAF_FRAME', `${folder}/${path}`, sentence(defectOf(record, kind)));
  }
  const leaves = ofMostLeaves(all, folder, findings);
  const footer = await footerOfLeaf(source, folder, leaves[0]);
  if (footer) {
    const common = commonMetadataFile(footer);
    await checkSame(source, folder, COMMON_METADATA, common, 'COMMON_METADATA_DIFFERS', findings);
    // Without it hats cannot use an index at all.
    const expected = kind === 'index' || files.has(`${folder}/${METADATA}`);
    if (expected) await checkMetadata(source, folder, files, footer, all, findings);
  }
  return { folder, leaves, footer, rows: all.reduce((sum, leaf) => sum + leaf.footer.rows, 0) };
}

/** What most leaves have is the schema; the others are damaged, even if one of them comes first. */
function ofMostLeaves(all: readonly SoundLeaf[], folder: string, findings: Findings): readonly SoundLeaf[] {
  const schemas = new Map<Digest, SoundLeaf[]>();
  for (const leaf of all) {
    const alike = schemas.get(leaf.footer.schema) ?? [];
    schemas.set(leaf.footer.schema, alike);
    alike.push(leaf);
  }
  const [main = [], ...others] = [...schemas.values()].sort((a, b) => b.length - a.length);
  for (const { path } of others.flat()) {
    const text = 'Its columns, types or metadata are not those of most leaves.';
    findings.add('LEAF_SCHEMA', `${folder}/${path}`, text);
  }
  return main;
}

async function footerOfLeaf(
  source: CollectionSource,
  folder: string,
  leaf: SoundLeaf | undefined,
): Promise<Footer | null> {
  if (!leaf) return null;
  const reading = await source.withFile(`${folder}/${leaf.path}`, null, ({ path }) => readFooter(path));
  return reading.kind === 'footer' ? reading.footer : null;
}

/** Compares a file with the bytes that it should have. */
export async function checkSame(
  source: CollectionSource,
  folder: string,
  path: string,
  expected: Uint8Array,
  code: 'PARTITIONS_LISTED' | 'COMMON_METADATA_DIFFERS' | 'MAP_DIFFERS' | 'LINK_DIFFERS',
  findings: Findings,
): Promise<void> {
  const name = folder === '' ? path : `${folder}/${path}`;
  const actual = await source.bytes(name);
  if (actual?.equals(expected)) return;
  const found = actual === null ? 'It is not there' : `It has ${actual.length} bytes`;
  findings.add(code, name, `${found}; made anew it has ${expected.length} others.`);
}

function checkPixels(folder: string, pixels: readonly Pixel[], findings: Findings): void {
  for (const [index, pixel] of pixels.entries()) {
    const before = pixels[index - 1];
    if (before && indexRange(before).to > indexRange(pixel).from) {
      const text = `Its pixel lies inside that of ${leafPath(before)}.`;
      findings.add('PARTITIONS_OVERLAP', `${folder}/${leafPath(pixel)}`, text);
    }
  }
}

function defectOf(record: PartitionRecord, kind: PartKind): string {
  const footer = record.files[kind]?.footer;
  return footer && 'defect' in footer ? footer.defect : 'it has no footer';
}

function sentence(detail: string): string {
  return `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`;
}
