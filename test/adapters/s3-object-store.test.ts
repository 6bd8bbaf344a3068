import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { holds } from '#core/ports.ts';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { objectStoreContract } from '#test/contracts/object-store.ts';

let cloud: CloudUnderTest;
let bucket: string;
let folder: string;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  bucket = await versionedBucket();
  folder = mkdtempSync(join(tmpdir(), 'ponte-s3-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cloud.remove();
});

async function versionedBucket(): Promise<string> {
  const name = await cloud.bucket();
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await cloud.s3.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
  return name;
}

objectStoreContract('S3ObjectStore', () => new S3ObjectStore(cloud.s3, bucket));

describe('S3ObjectStore', () => {
  /** Beyond the bound of a single PUT. */
  const large = randomBytes(70 * 1024 * 1024);

  it('uploads a large file in parts, and declares the digest of the whole', async () => {
    const store = new S3ObjectStore(cloud.s3, bucket);
    const path = join(folder, 'large');
    writeFileSync(path, large);
    const digest = sha256(large);

    const ref = await store.putFile('large', path, digest);

    const head = await store.head('large');
    // The store's own checksum is one of parts.
    expect(head).toMatchObject({ sizeBytes: large.length, declaredSha256: digest, storedSha256: null });
    expect(holds(head, ref)).toBe(true);
    const back = join(folder, 'back');
    await store.getFile('large', back, digest);
    expect(readFileSync(back).equals(large)).toBe(true);
  });

  it('stores nothing of a large file that is not of the digest it is said to have', async () => {
    const store = new S3ObjectStore(cloud.s3, bucket);
    const path = join(folder, 'damaged');
    writeFileSync(path, large);

    const put = store.putFile('damaged', path, sha256('sound'));

    await expect(put).rejects.toMatchObject({ name: 'TransientError', code: 'DIGEST_MISMATCH' });
    expect(await store.head('damaged')).toBeNull();
    expect((await cloud.s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).toEqual([]);
  });

  it('reads the end of an object, and all of a shorter one', async () => {
    const store = new S3ObjectStore(cloud.s3, bucket);
    await store.putBytes('tail', new TextEncoder().encode('0123456789'), 'text/plain');

    expect(Buffer.from(await store.getTail('tail', 3)).toString()).toBe('789');
    expect(Buffer.from(await store.getTail('tail', 100)).toString()).toBe('0123456789');
    await expect(store.getTail('none', 3)).rejects.toMatchObject({ name: 'InputError', code: 'OBJECT_MISSING' });
  });

  it('copies between buckets, with a checksum that the receiving side computed', async () => {
    const store = new S3ObjectStore(cloud.s3, bucket);
    const other = new S3ObjectStore(cloud.s3, await versionedBucket());
    const ref = await store.putBytes('a b/ü=1', new TextEncoder().encode('copied'), 'text/plain');

    await other.copyFrom(store, 'a b/ü=1', 'copy');

    const head = await other.head('copy');
    expect(head).toMatchObject({ storedSha256: ref.sha256, declaredSha256: ref.sha256 });
    expect(holds(head, ref)).toBe(true);
  });

  it('tells what an uploader declares from what the store has seen', async () => {
    const store = new S3ObjectStore(cloud.s3, bucket);
    const upload = (Key: string, declared: string, ChecksumAlgorithm: 'SHA256' | 'CRC32') =>
      cloud.s3.send(
        new PutObjectCommand({ Bucket: bucket, Key, Body: 'bytes', ChecksumAlgorithm, Metadata: { sha256: declared } }),
      );
    const [true_, lie] = [sha256('bytes'), sha256('other bytes')];

    await upload('lie', lie, 'SHA256');
    await upload('crc', true_, 'CRC32');
    await upload('nonsense', 'not a digest', 'CRC32');

    const wanted = { sha256: true_, sizeBytes: 5 };
    const seen = async (key: string): Promise<[Digest | null, Digest | null, boolean]> => {
      const head = await store.head(key);
      return [head?.declaredSha256 ?? null, head?.storedSha256 ?? null, holds(head, wanted)];
    };
    expect(await seen('lie')).toEqual([lie, true_, true]);
    expect(await seen('crc')).toEqual([true_, null, true]);
    expect(await seen('nonsense')).toEqual([null, null, false]);
    expect(holds(await store.head('crc'), { ...wanted, sizeBytes: 6 })).toBe(false);
  });
});
