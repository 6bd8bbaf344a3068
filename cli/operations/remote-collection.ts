import { S3Client } from '@aws-sdk/client-s3';
import type { CollectionSource } from '#adapters/collection-source.ts';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { StoredCollection } from '#adapters/stored-collection.ts';
import { publishedMarkerSchema } from '#core/delivery.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';

export interface RemoteOptions {
  /** For services other than AWS. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  /** Sends requests without a signature, for public buckets. */
  readonly anonymous?: boolean;
}

const MARKER = 'PUBLISHED.json';

/**
 * Opens a collection in a bucket, of which one partition at a time comes to `scratch`. `url` names the version's files,
 * or the place of a `PUBLISHED.json`, which then says which version and with which manifest.
 *
 * @throws {InputError} `URL_UNUSABLE` or `WITHDRAWN`.
 */
export async function openCollection(
  url: string,
  scratch: string,
  options: RemoteOptions,
): Promise<{ readonly source: CollectionSource; readonly manifestSha256?: Digest }> {
  const { bucket, path } = placeOf(url);
  const store = new S3ObjectStore(clientFor(options), bucket);
  const marker = await store.getBytes(`${path}${MARKER}`);
  const published = marker === null ? null : versionOf(path, new TextDecoder().decode(marker));
  const source = new StoredCollection(store, published?.prefix ?? path, scratch);
  return { source, ...(published ? { manifestSha256: published.manifestSha256 } : {}) };
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
