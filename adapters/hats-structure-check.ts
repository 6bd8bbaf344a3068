import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readFooter } from '#adapters/parquet-footer.ts';
import type { Digest } from '#core/digest.ts';
import { type LeafFacts, metadataFiles, partitionInfoFile } from '#core/hats/catalogue-files.ts';
import { type Footer, schemaDigest } from '#core/hats/footer.ts';
import {
  COMMON_METADATA,
  inSkyOrder,
  leafPath,
  METADATA,
  PARTITION_INFO,
  PROPERTIES_NAMES,
  pixelOfLeafPath,
} from '#core/hats/layout.ts';
import { type PartKind, partLeafPath, pixelOfIndexPart } from '#core/hats/parts.ts';
import { type Properties, parseProperties } from '#core/hats/properties.ts';
import type { Findings } from '#core/hats/verdict.ts';
import { indexRange, type Pixel } from '#core/healpix.ts';

/** A leaf whose frame and schema are as they should be; `path` is relative to the catalogue's folder. */
export interface SoundLeaf extends LeafFacts {
  readonly path: string;
}

export interface CatalogueStructure {
  /** In sky order. */
  readonly leaves: readonly SoundLeaf[];
  /** Key-value metadata that those leaves share. */
  readonly keyValues: ReadonlyMap<string, string>;
  /** By all footers that could be read. */
  readonly rows: number;
}

/** Reads one of a collection's text files; null when it is not there. */
export async function readProperties(path: string): Promise<Properties | null> {
  const bytes = await readOrNull(path);
  return bytes === null ? null : parseProperties(bytes.toString('utf8'));
}

/** The catalogue's properties, if both copies are there and equal, or the one that is there. */
export async function checkProperties(root: string, catalogue: string, findings: Findings): Promise<Properties | null> {
  const copies = await Promise.all(PROPERTIES_NAMES.map((name) => readOrNull(join(root, catalogue, name))));
  const [one, other] = copies;
  if (!one || !other || !one.equals(other)) {
    const where = `${catalogue}/${PROPERTIES_NAMES[0]}`;
    findings.add('PROPERTIES_DIFFER', where, `It and ${PROPERTIES_NAMES[1]} must both be there and be equal.`);
  }
  const present = one ?? other;
  return present ? parseProperties(present.toString('utf8')) : null;
}

/**
 * Looks at every leaf's frame and footer, and compares the files made from the footers byte for byte with what they
 * should be. Reads no rows.
 *
 * @param present paths below the catalogue's folder.
 */
export async function checkStructure(
  root: string,
  catalogue: string,
  present: readonly string[],
  findings: Findings,
  onLeaf: (done: number, total: number) => void,
  kind: PartKind = 'object',
): Promise<CatalogueStructure> {
  const pixelOf = kind === 'index' ? pixelOfIndexPart : pixelOfLeafPath;
  const pixels = present.flatMap((path) => pixelOf(path) ?? []).sort(inSkyOrder);
  checkPixels(catalogue, pixels, findings);
  if (kind !== 'index') {
    await checkSame(root, catalogue, PARTITION_INFO, partitionInfoFile(pixels).bytes, 'PARTITIONS_LISTED', findings);
  }

  // Without it hats cannot use an index at all.
  const keepRowGroups = kind === 'index' || present.includes(METADATA);
  const schemas = new Map<Digest, { readonly footer: Footer; readonly leaves: SoundLeaf[] }>();
  for (const [index, pixel] of pixels.entries()) {
    const path = partLeafPath(kind, pixel);
    const reading = await readFooter(join(root, catalogue, path));
    if (reading.kind === 'defect') findings.add('LEAF_FRAME', `${catalogue}/${path}`, `${sentence(reading.detail)}`);
    else {
      const { footer, sizeBytes } = reading;
      const schema = schemas.get(schemaDigest(footer)) ?? { footer, leaves: [] };
      schemas.set(schemaDigest(footer), schema);
      const kept = { rows: footer.rows, rowGroups: keepRowGroups ? footer.rowGroups : [] };
      schema.leaves.push({ ...pixel, path, sizeBytes, footer: kept });
    }
    onLeaf(index + 1, pixels.length);
  }
  // What most leaves have is the schema; the others are damaged, even if one of them comes first.
  const [main, ...others] = [...schemas.values()].sort((a, b) => b.leaves.length - a.leaves.length);
  for (const { path } of others.flatMap(({ leaves }) => leaves)) {
    const text = 'Its columns, types or metadata are not those of most leaves.';
    findings.add('LEAF_SCHEMA', `${catalogue}/${path}`, text);
  }
  if (!main) return { leaves: [], keyValues: new Map(), rows: 0 };

  const all = [...schemas.values()].flatMap(({ leaves }) => leaves).sort(inSkyOrder);
  for (const { path, bytes } of metadataFiles(main.footer, keepRowGroups ? all : null, kind)) {
    const code = path === COMMON_METADATA ? 'COMMON_METADATA_DIFFERS' : 'METADATA_DIFFERS';
    await checkSame(root, catalogue, path, bytes, code, findings);
  }
  return {
    leaves: main.leaves,
    keyValues: main.footer.keyValues,
    rows: all.reduce((sum, { footer }) => sum + footer.rows, 0),
  };
}

/** Compares a file with the bytes that it should have. */
export async function checkSame(
  root: string,
  catalogue: string,
  path: string,
  expected: Uint8Array,
  code: 'PARTITIONS_LISTED' | 'METADATA_DIFFERS' | 'COMMON_METADATA_DIFFERS' | 'MAP_DIFFERS' | 'LINK_DIFFERS',
  findings: Findings,
): Promise<void> {
  const actual = await readOrNull(join(root, catalogue, path));
  if (actual?.equals(expected)) return;
  const found = actual === null ? 'It is not there' : `It has ${actual.length} bytes`;
  findings.add(code, `${catalogue}/${path}`, `${found}; made anew it has ${expected.length} others.`);
}

function checkPixels(catalogue: string, pixels: readonly Pixel[], findings: Findings): void {
  for (const [index, pixel] of pixels.entries()) {
    const before = pixels[index - 1];
    if (before && indexRange(before).to > indexRange(pixel).from) {
      const text = `Its pixel lies inside that of ${leafPath(before)}.`;
      findings.add('PARTITIONS_OVERLAP', `${catalogue}/${leafPath(pixel)}`, text);
    }
  }
}

/** Null when there is no such file. */
export async function readOrNull(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

function sentence(detail: string): string {
  return `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`;
}
