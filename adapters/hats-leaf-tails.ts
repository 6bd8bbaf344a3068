import { join } from 'node:path';
import { readFooterTail } from '#adapters/parquet-footer.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import type { LeafFacts } from '#core/hats/catalogue-files.ts';
import { type Footer, schemaDigest } from '#core/hats/footer.ts';
import { readFooterOfTail } from '#core/hats/footer-tail.ts';
import { inSkyOrder } from '#core/hats/layout.ts';
import { type PartKind, partLeafPath } from '#core/hats/parts.ts';
import type { ThumbnailRow } from '#core/hats/thumbnail.ts';
import type { Pixel } from '#core/healpix.ts';

/** The end of a leaf file, as `packPartition` measured it (`tailBytes`): from disk, or from one ranged request. */
export interface LeafTail extends Pixel {
  readonly sizeBytes: number;
  readonly tail: Uint8Array;
}

export type Tails<T extends LeafTail = LeafTail> = AsyncIterable<T> | Iterable<T>;

/** Of a catalogue that has a thumbnail. */
export interface ShownTail extends LeafTail {
  readonly thumbnail: ThumbnailRow;
}

/** The ends of leaves on this machine; `folder` is the catalogue's. */
export async function* localLeafTails<T extends Omit<LeafTail, 'tail'>>(
  folder: string,
  leaves: Iterable<T>,
  kind: PartKind = 'object',
): AsyncIterable<T & Pick<LeafTail, 'tail'>> {
  for (const leaf of leaves) yield { ...leaf, tail: await readFooterTail(join(folder, partLeafPath(kind, leaf))) };
}

export interface ReadPart {
  readonly first: Footer;
  readonly leaves: readonly LeafFacts[];
}

/** Null when there is no leaf at all. */
export async function readLeaves(kind: PartKind, tails: Tails, keepRowGroups: boolean): Promise<ReadPart | null> {
  let first: { readonly footer: Footer; readonly digest: Digest; readonly path: string } | null = null;
  const leaves: LeafFacts[] = [];
  for await (const { order, pixel, sizeBytes, tail } of tails) {
    const path = partLeafPath(kind, { order, pixel });
    const reading = readFooterOfTail(tail, sizeBytes);
    if (reading.kind === 'defect') throw unreadable(path, reading.detail);
    const { footer } = reading;
    const digest = schemaDigest(footer);
    first ??= { footer, digest, path };
    if (digest !== first.digest) throw otherSchema(path, first.path);
    const { rows, rowGroups } = footer;
    leaves.push({ order, pixel, sizeBytes, footer: { rows, rowGroups: keepRowGroups ? rowGroups : [] } });
  }
  return first === null ? null : { first: first.footer, leaves: leaves.sort(inSkyOrder) };
}

export function somePart(part: ReadPart | null): ReadPart {
  if (part === null) throw unreadable('the catalogue', 'it has no leaves');
  return part;
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
