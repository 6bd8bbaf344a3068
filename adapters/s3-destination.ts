import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  paginateListParts,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { FileSource } from '#adapters/file-source.ts';
import type { Throttle } from '#adapters/throttle.ts';
import { type Destination, eachOf } from '#core/destination.ts';
import { InputError } from '#core/errors.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';

export interface S3Place {
  readonly bucket: string;
  /** Before every key: empty, or ends with a slash. */
  readonly prefix: string;
  /** Whether the service keeps and checks S3's additional checksums. Without, what arrived is read again. */
  readonly checksums: boolean;
  /** S3 asks for at least 5 MiB in all parts but the last. */
  readonly partBytes: number;
  readonly parallelParts: number;
  /** Ends what is under way, as a kill would; what arrived stays. */
  readonly signal?: AbortSignal;
}

/** S3 takes no more parts of one object. */
const MOST_PARTS = 10_000;

interface Part {
  readonly number: number;
  readonly from: number;
  readonly length: number;
}

/** A bucket of any service that speaks S3. Large files go in parts; after a kill the parts that arrived are kept. */
export class S3Destination implements Destination {
  readonly name: string;
  readonly #client: S3Client;
  readonly #place: S3Place;
  readonly #source: FileSource;
  readonly #throttle: Throttle;

  constructor(name: string, client: S3Client, place: S3Place, source: FileSource, throttle: Throttle) {
    this.name = name;
    this.#client = client;
    this.#place = place;
    this.#source = source;
    this.#throttle = throttle;
  }

  async holds(key: string, file: ManifestFile): Promise<boolean> {
    const head = await this.#client
      .send(new HeadObjectCommand({ ...this.#object(key), ChecksumMode: 'ENABLED' }))
      .catch(ifMissing);
    if (head === null || head.ContentLength !== file.sizeBytes) return false;
    const stored = head.ChecksumSHA256;
    if (this.#place.checksums && stored !== undefined) {
      const parts = this.#parts(file.sizeBytes);
      if (!stored.includes('-')) return stored === Buffer.from(file.sha256, 'hex').toString('base64');
      // A checksum of parts tells only about objects that were cut as this one would be.
      if (stored.endsWith(`-${parts.length}`) && stored === (await this.#checksumOfParts(file, parts))) return true;
    }
    return (await this.#readAgain(key)) === file.sha256;
  }

  async put(key: string, file: ManifestFile, onBytes: (bytes: number) => void): Promise<void> {
    const parts = this.#parts(file.sizeBytes);
    if (parts.length > 1) return await this.#putParts(key, file, parts, onBytes);
    const Body = await this.#source.read(file.path, 0, file.sizeBytes);
    refuseOther(file, digest(Body).toString('hex'));
    await this.#throttle.take(Body.length, this.#place.signal);
    const checksum = this.#place.checksums ? { ChecksumSHA256: digest(Body).toString('base64') } : {};
    await this.#client.send(new PutObjectCommand({ ...this.#object(key), Body, ...checksum }), this.#until);
    onBytes(Body.length);
  }

  async readDocument(key: string): Promise<unknown> {
    const found = await this.#client.send(new GetObjectCommand(this.#object(key))).catch(ifMissing);
    return found?.Body ? JSON.parse(await found.Body.transformToString()) : null;
  }

  async writeDocument(key: string, document: unknown): Promise<void> {
    const Body = new TextEncoder().encode(`${JSON.stringify(document)}\n`);
    await this.#client.send(new PutObjectCommand({ ...this.#object(key), Body, ContentType: 'application/json' }));
  }

  async #putParts(
    key: string,
    file: ManifestFile,
    parts: readonly Part[],
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const UploadId = (await this.#begun(key)) ?? (await this.#begin(key));
    const arrived = await this.#arrived(key, UploadId);
    const done: { PartNumber: number; ETag?: string; ChecksumSHA256?: string }[] = [];
    await eachOf(parts, this.#place.parallelParts, async (part) => {
      const PartNumber = part.number;
      this.#place.signal?.throwIfAborted();
      const Body = await this.#source.read(file.path, part.from, part.length);
      const before = arrived.get(PartNumber);
      const md5 = `"${createHash('md5').update(Body).digest('hex')}"`;
      const checksum = this.#place.checksums ? { ChecksumSHA256: digest(Body).toString('base64') } : {};
      // By the sha256 that the service computed; where it has none, by its MD5, and all is read again in the end.
      const same = this.#place.checksums ? before?.sha256 === checksum.ChecksumSHA256 : before?.etag === md5;
      if (before !== undefined && same) done.push({ PartNumber, ETag: before.etag, ...checksum });
      else {
        await this.#throttle.take(Body.length, this.#place.signal);
        const command = new UploadPartCommand({ ...this.#object(key), UploadId, PartNumber, Body, ...checksum });
        const { ETag } = await this.#client.send(command, this.#until);
        done.push({ PartNumber, ...(ETag ? { ETag } : {}), ...checksum });
      }
      onBytes(Body.length);
    });
    const Parts = done.toSorted((a, b) => a.PartNumber - b.PartNumber);
    await this.#client.send(
      new CompleteMultipartUploadCommand({ ...this.#object(key), UploadId, MultipartUpload: { Parts } }),
    );
  }

  /** The upload of this key that a kill left behind, the newest. */
  async #begun(key: string): Promise<string | null> {
    const { Bucket, Key } = this.#object(key);
    const { Uploads = [] } = await this.#client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
    return Uploads.findLast((upload) => upload.Key === Key)?.UploadId ?? null;
  }

  async #begin(key: string): Promise<string> {
    const algorithm = this.#place.checksums ? { ChecksumAlgorithm: 'SHA256' as const } : {};
    const { UploadId } = await this.#client.send(
      new CreateMultipartUploadCommand({ ...this.#object(key), ...algorithm }),
    );
    if (UploadId !== undefined) return UploadId;
    throw new InputError(`${this.name} began an upload and did not name it`, {
      code: 'DESTINATION_UNUSABLE',
      hint: 'The service does not speak S3 as it should; look at its endpoint.',
    });
  }

  async #arrived(key: string, UploadId: string): Promise<Map<number, { etag: string; sha256: string | undefined }>> {
    const found = new Map<number, { etag: string; sha256: string | undefined }>();
    for await (const page of paginateListParts({ client: this.#client }, { ...this.#object(key), UploadId })) {
      for (const { PartNumber, ETag, ChecksumSHA256 } of page.Parts ?? []) {
        if (PartNumber !== undefined && ETag) found.set(PartNumber, { etag: ETag, sha256: ChecksumSHA256 });
      }
    }
    return found;
  }

  /** S3's checksum of an object in parts: of the digests of its parts, and how many they are. */
  async #checksumOfParts(file: ManifestFile, parts: readonly Part[]): Promise<string> {
    const [whole, all] = [createHash('sha256'), createHash('sha256')];
    for (const part of parts) {
      this.#place.signal?.throwIfAborted();
      const bytes = await this.#source.read(file.path, part.from, part.length);
      whole.update(bytes);
      all.update(digest(bytes));
    }
    refuseOther(file, whole.digest('hex'));
    return `${all.digest('base64')}-${parts.length}`;
  }

  async #readAgain(key: string): Promise<string> {
    const { Body } = await this.#client.send(new GetObjectCommand(this.#object(key)), this.#until);
    const hash = createHash('sha256');
    if (Body instanceof Readable) for await (const chunk of Body) hash.update(chunk);
    return hash.digest('hex');
  }

  #parts(sizeBytes: number): readonly Part[] {
    const step = Math.max(this.#place.partBytes, Math.ceil(sizeBytes / MOST_PARTS));
    return Array.from({ length: Math.max(1, Math.ceil(sizeBytes / step)) }, (_, index) => ({
      number: index + 1,
      from: index * step,
      length: Math.min(step, sizeBytes - index * step),
    }));
  }

  get #until(): { readonly abortSignal?: AbortSignal } {
    const { signal } = this.#place;
    return signal ? { abortSignal: signal } : {};
  }

  #object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#place.bucket, Key: `${this.#place.prefix}${key}` };
  }
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

function refuseOther(file: ManifestFile, actual: string): void {
  if (actual === file.sha256) return;
  throw new InputError(`${file.path} has the sha256 ${actual}, its manifest says ${file.sha256}`, {
    code: 'SOURCE_DAMAGED',
    hint: 'Look at the collection with ponte verify, and fetch it again.',
  });
}

function ifMissing(error: unknown): null {
  if (error instanceof NotFound || error instanceof NoSuchKey) return null;
  throw error;
}
