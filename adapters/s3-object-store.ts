import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  CopyObjectCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { asDigest, type Digest, isDigest, sha256 as sha256Of } from '#core/digest.ts';
import { InputError, TransientError } from '#core/errors.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ByteRange } from '#core/object-slice.ts';
import type { ObjectHead, ObjectStore } from '#core/ports.ts';

/** Files up to this size go in one PUT, whose checksum covers the whole object; parts of this size beyond it. */
const SINGLE_PUT_BYTES = 64 * 1024 * 1024;

/** S3's error for a checksum that does not fit the bytes. */
const BAD_DIGEST = 'BadDigest';

/** The metadata field with the whole object's sha256, for objects whose checksum is one of parts. */
const DIGEST_FIELD = 'sha256';

/** One bucket. Every object is written with its sha256, as a checksum the service verifies and as metadata. */
export class S3ObjectStore implements ObjectStore {
  readonly bucket: string;
  readonly #client: S3Client;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.bucket = bucket;
  }

  async putFile(key: string, path: string, sha256: Digest): Promise<ObjectRef> {
    const { size } = await stat(path);
    const object = { Bucket: this.bucket, Key: key, Metadata: { [DIGEST_FIELD]: sha256 } };
    if (size <= SINGLE_PUT_BYTES) {
      const Body = createReadStream(path);
      const put = new PutObjectCommand({ ...object, Body, ContentLength: size, ChecksumSHA256: base64(sha256) });
      try {
        await this.#client.send(put);
      } catch (error) {
        throw error instanceof S3ServiceException && error.name === BAD_DIGEST ? notOf(path, sha256) : error;
      }
    } else {
      await new Upload({
        client: this.#client,
        params: { ...object, Body: Readable.from(checkedBytes(path, sha256)), ChecksumAlgorithm: 'SHA256' },
        partSize: SINGLE_PUT_BYTES,
        queueSize: 2,
      }).done();
    }
    return { key, sha256, sizeBytes: size };
  }

  async putBytes(key: string, bytes: Uint8Array, contentType: string): Promise<ObjectRef> {
    const sha256 = sha256Of(bytes);
    await this.#client.send(
      new PutObjectCommand({
        Bucket: this.bucket,
        Key: key,
        Body: bytes,
        ContentType: contentType,
        ChecksumSHA256: base64(sha256),
        Metadata: { [DIGEST_FIELD]: sha256 },
      }),
    );
    return { key, sha256, sizeBytes: bytes.byteLength };
  }

  async getFile(
    key: string,
    path: string,
    expected?: Digest,
    versionId?: string | null,
  ): Promise<{ readonly sha256: Digest; readonly sizeBytes: number; readonly etag: string }> {
    const { body, etag } = await this.#open(key, ofVersion(versionId));
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        done(null, chunk);
      },
    });
    try {
      await pipeline(body, measure, createWriteStream(path));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    const sha256 = asDigest(hash.digest('hex'));
    if (expected !== undefined && sha256 !== expected) {
      await rm(path, { force: true });
      throw new TransientError(`${this.bucket}/${key} has sha256 ${sha256}, not the expected ${expected}`, {
        code: 'DIGEST_MISMATCH',
        hint: 'The download was damaged, or the object was replaced; what was downloaded is removed.',
      });
    }
    return { sha256, sizeBytes, etag };
  }

  async getBytes(key: string, range?: ByteRange): Promise<Uint8Array | null> {
    // A range has no checksum of its own: whoever asks for one knows its digest.
    const what = range
      ? { Range: `bytes=${range.offsetBytes}-${range.offsetBytes + range.sizeBytes - 1}` }
      : ({ ChecksumMode: 'ENABLED' } as const);
    try {
      const get = new GetObjectCommand({ Bucket: this.bucket, Key: key, ...what });
      const { Body } = await this.#client.send(get);
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  }

  /** So many bytes of an object from one offset on, with one ranged request. @throws {InputError} `OBJECT_MISSING`. */
  async getRange(key: string, from: number, length: number): Promise<Buffer> {
    const { body } = await this.#open(key, { Range: `bytes=${from}-${from + length - 1}` });
    return Buffer.concat(await body.toArray());
  }

  /** The last `length` bytes of an object, with one ranged request. @throws {InputError} `OBJECT_MISSING`. */
  async getTail(key: string, length: number): Promise<Uint8Array> {
    const { body } = await this.#open(key, { Range: `bytes=-${length}` });
    return Buffer.concat(await body.toArray());
  }

  async head(key: string, versionId?: string | null): Promise<ObjectHead | null> {
    try {
      const head = await this.#client.send(
        new HeadObjectCommand({ Bucket: this.bucket, Key: key, ChecksumMode: 'ENABLED', ...ofVersion(versionId) }),
      );
      return {
        sizeBytes: head.ContentLength ?? 0,
        etag: head.ETag ?? '',
        versionId: head.VersionId ?? null,
        declaredSha256: declaredDigest(head),
        storedSha256: storedDigest(head),
      };
    } catch (error) {
      if (error instanceof NotFound || error instanceof NoSuchKey) return null;
      throw error;
    }
  }

  async *list(prefix: string): AsyncGenerator<{ readonly key: string; readonly sizeBytes: number }> {
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.bucket,
          Prefix: prefix,
          ...(ContinuationToken ? { ContinuationToken } : {}),
        }),
      );
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key, sizeBytes: Size ?? 0 };
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
  }

  /** Copies an object into this bucket inside the service; its metadata goes along. */
  async copyFrom(source: S3ObjectStore, sourceKey: string, key: string): Promise<void> {
    const CopySource = `${source.bucket}/${sourceKey.split('/').map(encodeURIComponent).join('/')}`;
    await this.#client.send(
      new CopyObjectCommand({ Bucket: this.bucket, Key: key, CopySource, ChecksumAlgorithm: 'SHA256' }),
    );
  }

  async #open(
    key: string,
    what: Pick<GetObjectCommandInput, 'Range' | 'VersionId'>,
  ): Promise<{ readonly body: Readable; readonly etag: string }> {
    try {
      const { Body, ETag } = await this.#client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key, ...what }));
      if (Body instanceof Readable) return { body: Body, etag: ETag ?? '' };
    } catch (error) {
      if (!(error instanceof NoSuchKey) && !isNoSuchVersion(error)) throw error;
    }
    throw new InputError(`there is no object ${this.bucket}/${key}`, {
      code: 'OBJECT_MISSING',
      hint: 'It was removed or never uploaded; upload it again.',
    });
  }
}

const ofVersion = (versionId: string | null | undefined) => (versionId ? { VersionId: versionId } : {});

/** The SDK has no class for it. */
const isNoSuchVersion = (error: unknown) => error instanceof S3ServiceException && error.name === 'NoSuchVersion';

const base64 = (digest: Digest) => Buffer.from(digest, 'hex').toString('base64');

/** The bytes of a file; an error instead of the end when they are not of this digest, which undoes an upload in parts. */
async function* checkedBytes(path: string, expected: Digest): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const bytes: AsyncIterable<Buffer> = createReadStream(path);
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== expected) throw notOf(path, expected);
}

function notOf(path: string, expected: Digest): TransientError {
  return new TransientError(`${path} does not have the sha256 ${expected}`, {
    code: 'DIGEST_MISMATCH',
    hint: 'It changed after its digest was taken, or it was read wrong; nothing is stored.',
  });
}

function declaredDigest(head: HeadObjectCommandOutput): Digest | null {
  const declared = head.Metadata?.[DIGEST_FIELD];
  return declared !== undefined && isDigest(declared) ? declared : storedDigest(head);
}

function storedDigest({ ChecksumSHA256 }: HeadObjectCommandOutput): Digest | null {
  // A checksum with a dash is one of parts, not of the object.
  if (ChecksumSHA256 === undefined || ChecksumSHA256.includes('-')) return null;
  const hex = Buffer.from(ChecksumSHA256, 'base64').toString('hex');
  return isDigest(hex) ? hex : null;
}
