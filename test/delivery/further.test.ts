import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDestinationAt, refusalOf } from '#adapters/destination-access.ts';
import { BucketSource } from '#adapters/file-source.ts';
import { writeManifest } from '#adapters/hats-manifest.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { deliveryKey, deliveryName, deliveryPrefix, markerOf, type NewDelivery } from '#core/delivery.ts';
import { sha256 } from '#core/digest.ts';
import {
  failFurther,
  furtherDeliveriesOf,
  goOnDelivering,
  openFurther,
  readFurther,
  standingDelivery,
} from '#core/further-delivery.ts';
import { type FurtherDestination, furtherDestinationSchema } from '#core/further-destination.ts';
import { type Manifest, manifestSchema } from '#core/hats/manifest.ts';
import { REGION } from '#local/cloud.ts';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';

const MIB = 1024 * 1024;
const now = new Date('2026-01-02T03:04:05Z');
const clock = { now: () => now };
const SECRET = 'ponte/destinations/us-dac';

let cloud: CloudUnderTest;
let folder: string;
let lake: S3ObjectStore;
let manifest: Manifest;
let row: NewDelivery;
let access: { secrets: SecretsManagerClient; sts: STSClient };

/** A collection that lies in the lake and was delivered to the stack's own bucket: one file in three parts, and 40 small ones. */
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  const client = {
    endpoint: cloud.handle.url,
    region: REGION,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  access = { secrets: new SecretsManagerClient(client), sts: new STSClient(client) };
  await access.secrets.send(
    new CreateSecretCommand({
      Name: SECRET,
      SecretString: JSON.stringify({ accessKeyId: 'test', secretAccessKey: 'test' }),
    }),
  );
  await access.secrets.send(new CreateSecretCommand({ Name: `${SECRET}-odd`, SecretString: 'hunter2' }));
  folder = mkdtempSync(join(tmpdir(), 'ponte-further-'));
  mkdirSync(join(folder, 'dataset'));
  writeFileSync(join(folder, 'dataset/large.parquet'), randomBytes(37 * MIB));
  for (let i = 0; i < 40; i += 1) writeFileSync(join(folder, `dataset/Npix=${i}.parquet`), randomBytes(i));
  await writeManifest(folder, { collection: 'sky', rows: 40 });
  const bytes = readFileSync(join(folder, 'manifest.json'));
  manifest = manifestSchema.parse(JSON.parse(bytes.toString()));
  lake = new S3ObjectStore(cloud.s3, await cloud.bucket());
  for (const file of [...manifest.files, { path: 'manifest.json', sha256: sha256(bytes) }]) {
    await lake.putFile(`catalogues/x/files/${file.path}`, join(folder, file.path), file.sha256);
  }
  const delivery = deliveryName('sky', sha256(bytes));
  const prefix = deliveryPrefix('sky', delivery);
  row = {
    ...{ delivery, collection: 'sky', release: 'dp0', campaign: 'dp0.photoz.1', bucket: 'own', prefix, rows: 40 },
    manifest: { key: `${prefix}/manifest.json`, sha256: sha256(bytes), sizeBytes: bytes.length },
    ...{ files: manifest.files.length + 1, sizeBytes: 37 * MIB, deliveredAt: '2026-01-01T00:00:00.000Z' },
  };
}, 120_000);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cloud.remove();
});

let table: MemoryTable;
beforeEach(async () => {
  table = new MemoryTable();
  await table.write([{ kind: 'put', item: { ...deliveryKey(row.delivery), ...row } }]);
});

const destination = async (extra: Record<string, unknown> = {}): Promise<FurtherDestination> =>
  furtherDestinationSchema.parse({
    ...{ name: 'us-dac', bucket: await cloud.bucket(), prefix: 'public/', region: REGION, endpoint: cloud.handle.url },
    credentials: { secret: SECRET },
    ...extra,
  });

/** One step, as the function does it, with a source that says when it is asked. */
async function step(place: FurtherDestination, signal: AbortSignal, onRead: () => void = () => {}): Promise<boolean> {
  const order = { delivery: row.delivery, destination: place.name };
  const inLake = new BucketSource(lake, 'catalogues/x/files/');
  const source = {
    read: (path: string, from: number, length: number) => {
      onRead();
      return inLake.read(path, from, length);
    },
  };
  const further = await readFurther(table, order);
  const delivered = await standingDelivery(table, row.delivery);
  const to = await openDestinationAt(place, access, source, signal);
  return await goOnDelivering(table, { further, delivered, manifest }, to, { clock, signal });
}

const forget = ({ name }: FurtherDestination) =>
  table.write([{ kind: 'update', key: { pk: 'D', sk: `F#${row.delivery}#${name}` }, set: { checkedFiles: 0 } }]);

const never = () => new AbortController().signal;

/** Key -> sha256, of all that lies at a place. */
async function seen({ bucket }: FurtherDestination): Promise<Record<string, string>> {
  const { Contents = [] } = await cloud.s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  const found: Record<string, string> = {};
  for (const { Key = '' } of Contents) {
    const { Body } = await cloud.s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    found[Key] = sha256((await Body?.transformToByteArray()) ?? '');
  }
  return found;
}

const MARKER = 'public/sky/PUBLISHED.json';

describe('a delivery by the campaign to a further destination', () => {
  it('that runs out of time again and again ends as one that did not, and is public only at the end', async () => {
    const [often, once] = [await destination(), await destination({ name: 'twin' })];
    for (const place of [often, once]) await openFurther(table, row, place, now);
    await step(once, never());

    let steps = 0;
    for (let finished = false; !finished; steps += 1) {
      const time = new AbortController();
      let reads = 0;
      // Each step has time for a few pieces: at first for none, so that it also ends before it began.
      finished = await step(often, time.signal, () => {
        reads += 1;
        if (reads > steps) time.abort();
      });
      expect(MARKER in (await seen(often))).toBe(finished);
      // Each third step is killed before it recorded how far it came.
      if (!finished && steps % 3 === 2) await forget(often);
    }

    expect(steps).toBeGreaterThan(5);
    expect(await seen(often)).toEqual(await seen(once));
    const rows = await furtherDeliveriesOf(table, row.delivery);
    expect(rows.map(({ state, checkedFiles }) => [state, checkedFiles])).toEqual(Array(2).fill(['delivered', 42]));
    const { Body } = await cloud.s3.send(new GetObjectCommand({ Bucket: often.bucket, Key: MARKER }));
    expect(JSON.parse((await Body?.transformToString()) ?? '')).toEqual(markerOf(row));
  }, 120_000);

  it('does not look again at what an earlier step has checked', async () => {
    const place = await destination();
    await openFurther(table, row, place, now);
    const time = new AbortController();
    let reads = 0;
    await step(place, time.signal, () => {
      reads += 1;
      if (reads > 30) time.abort();
    });
    const { checkedFiles } = await readFurther(table, { delivery: row.delivery, destination: place.name });
    let again = 0;
    const finished = await step(place, never(), () => {
      again += 1;
    });

    expect(checkedFiles).toBeGreaterThan(10);
    expect(finished).toBe(true);
    // The files that are left, the manifest, and the large one in its parts.
    expect(again).toBeLessThanOrEqual(42 - checkedFiles + 3 + 3);
  });

  it('moves the marker of a place that has an earlier version, whose files stay', async () => {
    const place = await destination();
    const before = JSON.stringify({ ...markerOf(row), prefix: 'sky/versions/sky-0' });
    for (const [Key, Body] of [
      [MARKER, before],
      ['public/sky/versions/sky-0/manifest.json', '{}'],
    ] as const) {
      await cloud.s3.send(new PutObjectCommand({ Bucket: place.bucket, Key, Body }));
    }
    await openFurther(table, row, place, now);

    await step(place, never());

    const keys = await seen(place);
    expect(keys['public/sky/versions/sky-0/manifest.json']).toBe(sha256('{}'));
    expect(keys[MARKER]).not.toBe(sha256(before));
  });

  it('goes on after a failure when it is asked for again, and stays where it is there', async () => {
    const place = await destination();
    const order = { delivery: row.delivery, destination: place.name };
    await openFurther(table, row, place, now);
    await failFurther(table, order, 'S3ServiceException: out of order');
    expect(await readFurther(table, order)).toMatchObject({
      state: 'failed',
      failure: 'S3ServiceException: out of order',
    });

    await openFurther(table, row, place, now);
    await step(place, never());
    await failFurther(table, order, 'too late');
    await openFurther(table, row, place, now);

    expect(await readFurther(table, order)).toMatchObject({ state: 'delivered', failure: null });
    expect(await step(place, never())).toBe(true);
  });

  it('is refused when it was withdrawn, and when it takes more than fourteen days', async () => {
    const place = await destination();
    await openFurther(table, row, place, new Date(now.getTime() - 15 * 24 * 3600 * 1000));
    await expect(step(place, never())).rejects.toMatchObject({ code: 'DELIVERY_TOO_SLOW' });
    const withdrawn = { at: now.toISOString(), by: 'a test', because: 'wrong zero point' };
    await table.write([{ kind: 'update', key: deliveryKey(row.delivery), set: { withdrawn } }]);

    await expect(step(place, never())).rejects.toMatchObject({ code: 'DELIVERY_WITHDRAWN' });
    expect(await seen(place)).toEqual({});
  });

  it('says in one sentence why a destination cannot be used, and no secret with it', async () => {
    const gone = await destination({ name: 'gone', bucket: 'no-such-bucket' });
    await openFurther(table, row, gone, now);
    const failed = await step(gone, never()).catch((error: unknown) => refusalOf(error, gone));
    const absent = step(await destination({ credentials: { secret: 'ponte/destinations/absent' } }), never());

    expect(failed).toMatchObject({ name: 'InputError', code: 'DESTINATION_REFUSED' });
    expect(String(failed)).toContain(`s3://no-such-bucket/public/ at ${cloud.handle.url}`);
    await expect(absent).rejects.toMatchObject({ code: 'DESTINATION_UNKNOWN' });
    for (const secret of ['ponte/destinations/absent', `${SECRET}-odd`]) {
      const place = await destination({ name: 'odd', credentials: { secret } });
      const opened = openDestinationAt(place, access, new BucketSource(lake, ''), never());
      const error: unknown = await opened.catch((cause: unknown) => cause);
      expect(error).toMatchObject({ name: 'InputError', code: 'CREDENTIALS_MISSING' });
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error)).not.toContain('hunter2');
    }
  });
});
