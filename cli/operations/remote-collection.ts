import { mkdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { publishedMarkerSchema } from '#core/delivery.ts';
import { eachOf } from '#core/destination.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { manifestPathSchema } from '#core/hats/manifest.ts';

export interface RemoteOptions {
  /** For services other than AWS. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  /** Sends requests without a signature, for public buckets. */
  readonly anonymous?: boolean;
}

const PARALLEL = 8;
const MARKER = 'PUBLISHED.json';

/**
 * Brings a collection from a bucket to an empty local folder, as it lies there, unchecked. `url` names the version's
 * files, or the place of a `PUBLISHED.json`, which then says which version and with which manifest.
 *
 * @throws {InputError} `URL_UNUSABLE`, `COLLECTION_MISSING`, `WITHDRAWN`, `DISK_TOO_SMALL`, or `KEY_UNUSABLE` for an
 *   object whose name is no plain path.
 */
export async function bringCollection(
  url: string,
  folder: string,
  options: RemoteOptions,
  onBytes: (done: number, total: number) => void,
): Promise<{ readonly manifestSha256?: Digest }> {
  const { bucket, path } = placeOf(url);
  const store = new S3ObjectStore(clientFor(options), bucket);
  const marker = await store.getBytes(`${path}${MARKER}`);
  const published = marker === null ? null : versionOf(path, new TextDecoder().decode(marker));
  const prefix = published?.prefix ?? path;
  const files: { key: string; path: string; sizeBytes: number }[] = [];
  for await (const { key, sizeBytes } of store.list(prefix)) {
    const inside = manifestPathSchema.safeParse(key.slice(prefix.length));
    if (!inside.success) {
      throw unusable('KEY_UNUSABLE', `${bucket}/${key} is no file of a collection`, 'Give the folder of one version.');
    }
    files.push({ key, path: inside.data, sizeBytes });
  }
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (files.length === 0) throw unusable('COLLECTION_MISSING', `nothing lies below ${url}`, 'Look at its spelling.');
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < total) {
    const hint = 'Name a folder with more room: --scratch <folder>.';
    throw unusable('DISK_TOO_SMALL', `the collection has ${total} bytes, ${folder} has ${bavail * bsize} free`, hint);
  }
  let done = 0;
  await eachOf(files, PARALLEL, async (file) => {
    await mkdir(dirname(join(folder, file.path)), { recursive: true });
    await store.getFile(file.key, join(folder, file.path));
    done += file.sizeBytes;
    onBytes(done, total);
  });
  return published ? { manifestSha256: published.manifestSha256 } : {};
}

/** The marker's prefix begins with the collection, the last step of `path`. */
function versionOf(path: string, text: string): { readonly prefix: string; readonly manifestSha256: Digest } {
  const parsed = publishedMarkerSchema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw unusable('WITHDRAWN', `${MARKER} names no version: ${text.trim()}`, 'Ask whoever delivered it.');
  }
  const { collection, prefix, manifest } = parsed.data;
  const above = path.endsWith(`${collection}/`) ? path.slice(0, -collection.length - 1) : path;
  return { prefix: `${above}${prefix}/`, manifestSha256: manifest.sha256 };
}

function placeOf(url: string): { readonly bucket: string; readonly path: string } {
  const match = /^s3:\/\/(?<bucket>[a-z0-9.-]+)\/?(?<path>.*?)\/*$/.exec(url);
  const { bucket, path } = match?.groups ?? {};
  if (!bucket) throw unusable('URL_UNUSABLE', `${url} is no place in a bucket`, 'Write s3://bucket/path.');
  return { bucket, path: path ? `${path}/` : '' };
}

function clientFor({ endpoint, region, profile, anonymous }: RemoteOptions): S3Client {
  return new S3Client({
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(region ? { region } : {}),
    ...(profile ? { profile } : {}),
    ...(anonymous
      ? {
          signer: { sign: async (request) => request },
          credentials: { accessKeyId: 'anonymous', secretAccessKey: 'anonymous' },
        }
      : {}),
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

const unusable = (code: string, message: string, hint: string) => new InputError(message, { code, hint });
