import { z } from 'zod';
import {
  deliveryName,
  deliveryPrefix,
  markerKey,
  type PublishedMarker,
  publishedMarkerSchema,
  type Tombstone,
  tombstoneKey,
  type Withdrawal,
} from '#core/delivery.ts';
import { InputError, TransientError } from '#core/errors.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import type { Manifest, ManifestFile } from '#core/hats/manifest.ts';

/** Somewhere that a version of a collection is delivered to. Keys are relative to the destination's own root. */
export interface Destination {
  readonly name: string;
  /** Whether the file is there, whole: by the receiver's own checksum, else by reading it again. */
  holds(key: string, file: ManifestFile): Promise<boolean>;
  /**
   * Brings a local file there. Interrupted, the next call goes on with what had arrived; the file appears under its
   * key whole or not at all. `onBytes` hears of each piece that arrived, or had arrived before.
   */
  put(key: string, file: ManifestFile, onBytes: (bytes: number) => void): Promise<void>;
  /** Null when there is none. */
  readDocument(key: string): Promise<unknown>;
  /** Replaces a document in one step: a reader sees the one before or this one. */
  writeDocument(key: string, document: unknown): Promise<void>;
}

/** A version that was whole here, and the one that was public before it. */
const versionRecordSchema = z.strictObject({ marker: publishedMarkerSchema, previous: z.string().nullable() });
const versionRecordKey = (prefix: string) => `${prefix}.json`;

export interface DeliveryProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface DeliveryOptions {
  /** Files at a time. */
  readonly parallel: number;
  /** Files of the manifest, from its first on, that are known to be there: an earlier call said so. */
  readonly checkedFiles?: number;
  /** Ends the call early with the signal's reason, as a kill would: before the next file, part or piece. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (at: DeliveryProgress) => void;
  /** Waited for, when so many files from the manifest's first on are there. */
  readonly onChecked?: (files: number) => Promise<void>;
}

export interface VersionFacts {
  readonly manifest: Manifest;
  /** `manifest.json` itself. */
  readonly manifestFile: ManifestFile;
  readonly release: string;
  readonly campaign: string;
  readonly publishedAt: string;
}

/**
 * Delivers one version: every file, checked after it arrived; then the manifest; then the record of the version; the
 * public marker last. May be killed anywhere and called again. What was public before stays, and stays public until
 * the marker moves.
 *
 * @throws {InputError} `DELIVERY_WITHDRAWN` when this version was withdrawn here.
 * @throws {TransientError} `COPY_DAMAGED` when what arrived is not what was sent.
 */
export async function deliverVersion(
  to: Destination,
  { manifest, manifestFile, ...facts }: VersionFacts,
  { parallel, checkedFiles = 0, signal, onProgress, onChecked }: DeliveryOptions,
): Promise<PublishedMarker> {
  const { collection, rows, files } = manifest;
  const { sha256, sizeBytes } = manifestFile;
  const prefix = deliveryPrefix(collection, deliveryName(collection, sha256));
  await refuseWithdrawn(to, prefix);
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, sizeBytes);
  let doneBytes = files.slice(0, checkedFiles).reduce((sum, file) => sum + file.sizeBytes, 0);
  const copy = async (file: ManifestFile) => {
    signal?.throwIfAborted();
    let counted = 0;
    const count = (bytes: number) => {
      counted += bytes;
      doneBytes += bytes;
      onProgress?.({ doneBytes, totalBytes });
    };
    await copyChecked(to, `${prefix}/${file.path}`, file, count);
    count(file.sizeBytes - counted);
  };
  const arrived = new Set<number>();
  let checked = checkedFiles;
  await eachOf([...files.entries()].slice(checkedFiles), parallel, async ([index, file]) => {
    await copy(file);
    arrived.add(index);
    while (arrived.delete(checked)) checked += 1;
    await onChecked?.(checked);
  });
  await copy({ ...manifestFile, path: MANIFEST });

  const current = publishedMarkerSchema.safeParse(await to.readDocument(markerKey(collection)));
  if (current.success && current.data.prefix === prefix) return current.data;
  const marker: PublishedMarker = { version: 1, collection, prefix, manifest: { sha256, sizeBytes }, rows, ...facts };
  const previous = current.success ? current.data.prefix : null;
  await to.writeDocument(versionRecordKey(prefix), { marker, previous });
  // A withdrawal that came while the files were on their way wins.
  await refuseWithdrawn(to, prefix);
  await to.writeDocument(markerKey(collection), marker);
  return marker;
}

/**
 * Takes a version back at one destination: a tombstone beside its files, and the public name points to the newest
 * version before it that stands, or to the tombstone. The first withdrawal stands; repeating it finishes it.
 *
 * @returns the prefix of what is public now; null when nothing is.
 * @throws {InputError} `DELIVERY_UNKNOWN` when no such version was ever whole here.
 */
export async function withdrawVersion(
  from: Destination,
  collection: string,
  delivery: string,
  withdrawn: Withdrawal,
): Promise<string | null> {
  const prefix = deliveryPrefix(collection, delivery);
  if ((await from.readDocument(versionRecordKey(prefix))) === null) {
    throw new InputError(`${from.name} holds no version ${delivery} of ${collection}`, {
      code: 'DELIVERY_UNKNOWN',
      hint: 'The public marker of a collection, PUBLISHED.json, names its version.',
    });
  }
  const tombstone: Tombstone = { version: 1, collection, delivery, withdrawn };
  const standing = await from.readDocument(tombstoneKey({ prefix }));
  if (standing === null) await from.writeDocument(tombstoneKey({ prefix }), tombstone);
  const current = publishedMarkerSchema.safeParse(await from.readDocument(markerKey(collection)));
  if (!current.success) return null;
  if (current.data.prefix !== prefix) return current.data.prefix;
  const before = await newestBefore(from, prefix);
  await from.writeDocument(markerKey(collection), before ?? standing ?? tombstone);
  return before?.prefix ?? null;
}

async function newestBefore(at: Destination, prefix: string): Promise<PublishedMarker | null> {
  const seen = new Set([prefix]);
  let next = await recordOf(at, prefix);
  while (next?.previous && !seen.has(next.previous)) {
    const { previous } = next;
    seen.add(previous);
    next = await recordOf(at, previous);
    if (next && (await at.readDocument(tombstoneKey({ prefix: previous }))) === null) return next.marker;
  }
  return null;
}

async function recordOf(at: Destination, prefix: string) {
  const document = await at.readDocument(versionRecordKey(prefix));
  return document === null ? null : versionRecordSchema.parse(document);
}

async function refuseWithdrawn(to: Destination, prefix: string): Promise<void> {
  if ((await to.readDocument(tombstoneKey({ prefix }))) === null) return;
  throw new InputError(`${prefix} was withdrawn at ${to.name}`, {
    code: 'DELIVERY_WITHDRAWN',
    hint: 'Correct what was wrong and start a campaign that makes another table.',
  });
}

async function copyChecked(to: Destination, key: string, file: ManifestFile, onBytes: (bytes: number) => void) {
  if (await to.holds(key, file)) return;
  await to.put(key, file, onBytes);
  if (await to.holds(key, file)) return;
  throw new TransientError(`the copy of ${file.path} at ${to.name} is not the original`, {
    code: 'COPY_DAMAGED',
    hint: 'Deliver again: it goes on where it was. The public marker still points to the previous version.',
  });
}

/** Works through the items, so many at a time; the first error stops what has not begun and is thrown at the end. */
export async function eachOf<T>(items: Iterable<T>, parallel: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const one = async () => {
    for (let next = queue.next(); !next.done && failures.length === 0; next = queue.next()) {
      await work(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  if (failures.length > 0) throw failures[0];
}
