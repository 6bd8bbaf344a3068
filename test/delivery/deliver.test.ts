import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeManifest } from '#adapters/hats-manifest.ts';
import { deliverCollection, destinationsSchema, openDestination } from '#cli/operations/deliver-collection.ts';
import { type PublishedMarker, publishedMarkerSchema } from '#core/delivery.ts';
import { withdrawVersion } from '#core/destination.ts';
import { sha256 } from '#core/digest.ts';
import { manifestSchema } from '#core/hats/manifest.ts';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';

const MIB = 1024 * 1024;
const MARKER = 'sky/PUBLISHED.json';
const now = new Date('2026-01-02T03:04:05Z');

let cloud: CloudUnderTest;
let root: string;
/** Two versions of one collection. */
let versions: readonly [string, string];
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  process.env.DELIVER_TEST_ID = 'test';
  process.env.DELIVER_TEST_KEY = 'test';
  root = mkdtempSync(join(tmpdir(), 'ponte-deliver-'));
  versions = [await collection('first', 3), await collection('second', 40)];
});
afterAll(async () => {
  rmSync(root, { recursive: true, force: true });
  await cloud.remove();
});

/** A file in three parts, and small ones. What is inside does not matter to a delivery. */
async function collection(name: string, small: number): Promise<string> {
  const folder = join(root, name);
  mkdirSync(join(folder, 'catalogue/dataset'), { recursive: true });
  writeFileSync(join(folder, 'catalogue/dataset/large.parquet'), randomBytes(11 * MIB));
  for (let i = 0; i < small; i += 1) writeFileSync(join(folder, `catalogue/dataset/Npix=${i}.parquet`), randomBytes(i));
  await writeManifest(folder, { collection: 'sky', rows: small });
  return folder;
}

/** What a stranger sees at a place: key -> bytes. */
interface Seen {
  readonly keys: () => Promise<readonly string[]>;
  readonly read: (key: string) => Promise<Buffer | null>;
}

function folderPlace() {
  const path = mkdtempSync(join(root, 'place-'));
  const read = async (key: string) => (existsSync(join(path, key)) ? readFileSync(join(path, key)) : null);
  const keys = async () => {
    const { readdir } = await import('node:fs/promises');
    const found = await readdir(path, { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile()).map((e) => join(e.parentPath, e.name).slice(path.length + 1));
  };
  return { place: { name: 'disk', kind: 'folder', path }, seen: { keys, read } satisfies Seen, path };
}

async function s3Place(extra: Record<string, unknown> = {}) {
  const bucket = await cloud.bucket();
  const variables = { accessKeyId: 'DELIVER_TEST_ID', secretAccessKey: 'DELIVER_TEST_KEY' };
  const at = { bucket, prefix: 'public/', endpoint: cloud.handle.url, region: 'us-east-1', partMebibytes: 5 };
  const read = async (key: string) => {
    const got = await cloud.s3.send(new GetObjectCommand({ Bucket: bucket, Key: `public/${key}` })).catch(() => null);
    return got?.Body ? Buffer.from(await got.Body.transformToByteArray()) : null;
  };
  const keys = async () => {
    const { Contents = [] } = await cloud.s3.send(new ListObjectsV2Command({ Bucket: bucket }));
    return Contents.map(({ Key }) => (Key ?? '').replace(/^public\//, ''));
  };
  const place = { name: 'store', kind: 's3', variables, ...at, ...extra };
  return { place, seen: { keys, read } satisfies Seen, bucket };
}

const parsed = (...destinations: readonly object[]) =>
  destinationsSchema.parse({ version: 1, destinations }).destinations;

/** The public version, after looking at every file of it; null when there is none. */
async function publicVersion({ read }: Seen): Promise<PublishedMarker | null> {
  const bytes = await read(MARKER);
  if (bytes === null) return null;
  const marker = publishedMarkerSchema.parse(JSON.parse(bytes.toString()));
  const manifest = await read(`${marker.prefix}/manifest.json`);
  expect(sha256(manifest ?? '')).toBe(marker.manifest.sha256);
  for (const file of manifestSchema.parse(JSON.parse(String(manifest))).files) {
    expect(sha256((await read(`${marker.prefix}/${file.path}`)) ?? ''), file.path).toBe(file.sha256);
  }
  return marker;
}

/** Equal on every machine: 0 <= value < below. */
const seeded = (what: string, below: number) =>
  createHash('sha256').update(`deliver-1/${what}`).digest().readUInt32BE() % below;

describe('a delivery', () => {
  it('that is killed at 30 points and resumed ends as one that was not, and nothing was public half done', async () => {
    const [disk, store] = [folderPlace(), await s3Place()];
    await deliverCollection(versions[0], parsed(disk.place, store.place), { now });
    const before = [await publicVersion(disk.seen), await publicVersion(store.seen)];
    const file = join(root, 'destinations.json');
    writeFileSync(file, JSON.stringify({ version: 1, destinations: [disk.place, store.place] }));
    const child = (...args: readonly (string | number)[]) =>
      spawnSync(process.execPath, [
        join(import.meta.dirname, 'deliver-child.ts'),
        versions[1],
        file,
        ...args.map(String),
      ]);

    let [killed, unmoved] = [0, 0];
    for (let round = 0; round < 30; round += 1) {
      // What is there already counts as pieces too, so the points go through the whole delivery.
      const { signal } = child(1 + seeded(`pieces ${round}`, 3 * (round + 1)), seeded(`delay ${round}`, 30));
      if (signal === 'SIGKILL') killed += 1;
      for (const [index, { seen }] of [disk, store].entries()) {
        const marker = await publicVersion(seen);
        expect(marker).not.toBeNull();
        if (marker?.prefix === before[index]?.prefix) unmoved += 1;
      }
    }
    const last = child(0, 0);

    expect(last.status, String(last.stderr)).toBe(0);
    expect([killed, unmoved > 0]).toEqual([30, true]);
    for (const { place, seen } of [disk, store]) {
      const fresh = place.kind === 'folder' ? folderPlace() : await s3Place();
      for (const version of versions) await deliverCollection(version, parsed(fresh.place), { now });
      expect(await publicVersion(seen)).toEqual(await publicVersion(fresh.seen));
      expect((await seen.keys()).toSorted()).toEqual((await fresh.seen.keys()).toSorted());
    }
  }, 240_000);

  it('goes to the first place when the second fails, and says why', async () => {
    const disk = folderPlace();
    const { place } = await s3Place({ bucket: 'no-such-bucket' });

    const outcomes = await deliverCollection(versions[0], parsed(place, disk.place), { now });

    expect(outcomes).toMatchObject([
      { destination: 'store', published: null, error: { code: 'DESTINATION_FAILED' } },
      { destination: 'disk', error: null },
    ]);
    expect(await publicVersion(disk.seen)).not.toBeNull();
  });

  it('puts right what was changed there, with and without checksums of the service', async () => {
    const store = await s3Place();
    const plain = await s3Place({ name: 'plain', checksums: false });
    const disk = folderPlace();
    const all = parsed(store.place, plain.place, disk.place);
    await deliverCollection(versions[0], all, { now });
    const marker = await publicVersion(store.seen);
    const key = `${marker?.prefix}/catalogue/dataset/large.parquet`;
    const Body = Buffer.alloc(11 * MIB);
    for (const { bucket } of [store, plain]) {
      await cloud.s3.send(new PutObjectCommand({ Bucket: bucket, Key: `public/${key}`, Body }));
    }
    writeFileSync(join(disk.path, key), Body);

    const outcomes = await deliverCollection(versions[0], all, { now });

    expect(outcomes.map(({ error }) => error)).toEqual([null, null, null]);
    for (const { seen } of [store, plain, disk]) expect(await publicVersion(seen)).toEqual(marker);
  });

  it('begins a file anew when what an interruption left is no beginning of it', async () => {
    const disk = folderPlace();
    const [place] = parsed(disk.place);
    await deliverCollection(versions[0], parsed(disk.place), { now });
    const { prefix } = (await publicVersion(disk.seen)) ?? { prefix: '' };
    const path = join(disk.path, prefix, 'catalogue/dataset/large.parquet');
    rmSync(path);
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(`${path}.partial`, 'of another file');

    const [outcome] = await deliverCollection(versions[0], place ? [place] : [], { now });

    expect(outcome?.error).toBeNull();
    expect(await publicVersion(disk.seen)).not.toBeNull();
  });

  it('goes on with the parts that had arrived, and replaces one that is not of the file', async () => {
    const [disk, store] = [folderPlace(), await s3Place()];
    await deliverCollection(versions[0], parsed(disk.place), { now });
    const { prefix } = (await publicVersion(disk.seen)) ?? { prefix: '' };
    const large = readFileSync(join(versions[0], 'catalogue/dataset/large.parquet'));
    const object = { Bucket: store.bucket, Key: `public/${prefix}/catalogue/dataset/large.parquet` };
    const { UploadId } = await cloud.s3.send(
      new CreateMultipartUploadCommand({ ...object, ChecksumAlgorithm: 'SHA256' }),
    );
    for (const [PartNumber, Body] of [
      [1, large.subarray(0, 5 * MIB)],
      [2, Buffer.alloc(5 * MIB)],
    ] as const) {
      await cloud.s3.send(
        new UploadPartCommand({ ...object, UploadId, PartNumber, Body, ChecksumAlgorithm: 'SHA256' }),
      );
    }

    const [outcome] = await deliverCollection(versions[0], parsed(store.place), { now });

    expect(outcome?.error).toBeNull();
    expect(await publicVersion(store.seen)).not.toBeNull();
    // The upload that was begun is the one that ended.
    const { Uploads = [] } = await cloud.s3.send(new ListMultipartUploadsCommand({ Bucket: store.bucket }));
    expect(Uploads).toEqual([]);
  });

  it('refuses a source that is not what its manifest says', async () => {
    const source = await collection('damaged', 1);
    writeFileSync(join(source, 'catalogue/dataset/large.parquet'), randomBytes(11 * MIB));
    const [disk, store] = [folderPlace(), await s3Place()];

    const outcomes = await deliverCollection(source, parsed(disk.place, store.place), { now });

    expect(outcomes.map(({ error }) => error?.code)).toEqual(['COPY_DAMAGED', 'SOURCE_DAMAGED']);
    expect([await disk.seen.read(MARKER), await store.seen.read(MARKER)]).toEqual([null, null]);
  });

  it('is taken back with a tombstone: the version before is public again, and what was withdrawn stays so', async () => {
    const disk = folderPlace();
    const [place] = parsed(disk.place);
    if (!place) throw new Error('unreachable');
    for (const version of versions) await deliverCollection(version, [place], { now });
    const names = (await disk.seen.keys()).filter((key) => /versions\/[^/]+\.json$/.test(key));
    const second = (await publicVersion(disk.seen))?.prefix ?? '';
    const delivery = (prefix: string) => prefix.slice('sky/versions/'.length);
    const withdrawal = { at: now.toISOString(), by: 'a test', because: 'wrong zero point' };
    const at = openDestination(place, '.');

    const first = await withdrawVersion(at, 'sky', delivery(second), withdrawal);

    expect(names).toHaveLength(2);
    expect(first).not.toBe(second);
    expect((await publicVersion(disk.seen))?.prefix).toBe(first);
    const [again] = await deliverCollection(versions[1], [place], { now });
    expect(again?.error?.code).toBe('DELIVERY_WITHDRAWN');
    expect(await withdrawVersion(at, 'sky', delivery(first ?? ''), withdrawal)).toBeNull();
    expect(JSON.parse(String(await disk.seen.read(MARKER)))).toMatchObject({ withdrawn: withdrawal });
    await expect(withdrawVersion(at, 'sky', 'none', withdrawal)).rejects.toMatchObject({ code: 'DELIVERY_UNKNOWN' });
  });
});
