import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { asDigest, type Digest, isDigest, sha256 as sha256Of } from '#core/digest.ts';
import { InputError, TransientError } from '#core/errors.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ObjectHead, ObjectStore } from '#core/ports.ts';

/** Files up to this size go in one PUT, whose checksum covers the whole object; 64 MiB parts beyond it. */
const SINGLE_PUT_BYTES = 64 * 1024 * 1024;

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
      await this.#client.send(
        new PutObjectCommand({ ...object, Body, ContentLength: size, ChecksumSHA256: base64(sha256) }),
      );
    } else {
      await new Upload({
        client: this.#client,
        params: { ...object, Body: createReadStream(path), ChecksumAlgorithm: 'SHA256' },
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
  ): Promise<{ readonly sha256: Digest; readonly sizeBytes: number; readonly etag: string }> {
    const { body, etag } = await this.#open(key);
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

  async getBytes(key: string): Promise<Uint8Array | null> {
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  }

  /** The last `length` bytes of an object, with one ranged request. @throws {InputError} `OBJECT_MISSING`. */
  async getTail(key: string, length: number): Promise<Uint8Array> {
    const { body } = await this.#open(key, `bytes=-${length}`);
    return Buffer.concat(await body.toArray());
  }

  async head(key: string): Promise<ObjectHead | null> {
    try {
      const head = await this.#client.send(
        new HeadObjectCommand({ Bucket: this.bucket, Key: key, ChecksumMode: 'ENABLED' }),
      );
      return {
        sizeBytes: head.ContentLength ?? 0,
        etag: head.ETag ?? '',
        versionId: head.VersionId ?? null,
        declaredSha256: declaredDigest(head),
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

  async #open(key: string, Range?: string): Promise<{ readonly body: Readable; readonly etag: string }> {
    try {
      const { Body, ETag } = await this.#client.send(
        new GetObjectCommand({ Bucket: this.bucket, Key: key, ...(Range ? { Range } : {}) }),
      );
      if (Body instanceof Readable) return { body: Body, etag: ETag ?? '' };
    } catch (error) {
      if (!(error instanceof NoSuchKey)) throw error;
    }
    throw new InputError(`there is no object ${this.bucket}/${key}`, {
      code: 'OBJECT_MISSING',
      hint: 'It was removed or never uploaded; upload it again.',
    });
  }
}

const base64 = (digest: Digest) => Buffer.from(digest, 'hex').toString('base64');

function declaredDigest(head: HeadObjectCommandOutput): Digest | null {
  const declared = head.Metadata?.[DIGEST_FIELD];
  if (declared !== undefined && isDigest(declared)) return declared;
  // A checksum with a dash is one of parts, not of the object.
  if (head.ChecksumSHA256 === undefined || head.ChecksumSHA256.includes('-')) return null;
  const hex = Buffer.from(head.ChecksumSHA256, 'base64').toString('hex');
  return isDigest(hex) ? hex : null;
}
