import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { expect } from 'vitest';
import { openCloud } from '#cli/context.ts';
import { deliveriesOf } from '#cli/operations/look.ts';
import { redeliver } from '#cli/operations/redeliver.ts';
import { campaignKey } from '#core/campaign.ts';
import { publishedMarkerSchema } from '#core/delivery.ts';
import { sha256 } from '#core/digest.ts';
import type { FurtherDelivery } from '#core/further-delivery.ts';
import { furtherDestinationsSchema } from '#core/further-destination.ts';
import { manifestSchema } from '#core/hats/manifest.ts';

const FURTHER = 'further-place';
const LATER = 'later-place';

/**
 * Gives a campaign that is not delivered yet two destinations, as a registration with them would have: a bucket, and one
 * that does not exist.
 */
export async function addFurtherPlaces(home: string, campaign: string): Promise<void> {
  const { table } = await openCloud(home);
  const endpoint = process.env.AWS_ENDPOINT_URL ?? '';
  const SecretString = JSON.stringify({ accessKeyId: 'test', secretAccessKey: 'test' });
  await new SecretsManagerClient({}).send(new CreateSecretCommand({ Name: 'ponte/destinations/e2e', SecretString }));
  await new S3Client({ forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: FURTHER }));
  const place = { region: 'us-east-1', endpoint, credentials: { secret: 'ponte/destinations/e2e' } };
  const destinations = furtherDestinationsSchema.parse([
    { ...place, name: 'first', bucket: FURTHER, prefix: 'public/' },
    { ...place, name: 'second', bucket: LATER },
  ]);
  await table.write([{ kind: 'update', key: campaignKey(campaign), set: { destinations } }]);
}

/** The rows of the only delivery, once none is on its way. */
async function settled(home: string): Promise<readonly FurtherDelivery[]> {
  const cloud = await openCloud(home);
  for (let look = 0; look < 120; look += 1) {
    const [delivery] = await deliveriesOf(cloud);
    const further = delivery?.further ?? [];
    if (further.length > 0 && further.every(({ state }) => state !== 'delivering')) return further;
    await sleep(500);
  }
  throw new Error('a delivery stays on its way');
}

/** The first is public, whole; the second failed with its reason, and is there after it was asked for again. */
export async function expectFurtherPlaces(home: string): Promise<void> {
  const cloud = await openCloud(home);
  const [first, second] = await settled(home);
  expect(first).toMatchObject({ destination: 'first', state: 'delivered', failure: null });
  expect(second).toMatchObject({ destination: 'second', state: 'failed' });
  expect(second?.failure).toMatch(/^InputError: the destination second, .* there is no such bucket$/);

  await new S3Client({ forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: LATER }));
  const order = { delivery: second?.delivery ?? '', destination: 'second' };
  for (let look = 0; look < 40; look += 1) {
    if ((await redeliver(cloud, order, new Date())).started === 'started') break;
    await sleep(250);
  }
  expect((await settled(home)).map(({ state }) => state)).toEqual(['delivered', 'delivered']);

  const [own, there, later] = await Promise.all([
    publicFiles(cloud.outputs.DeliveryBucket, ''),
    publicFiles(FURTHER, 'public/'),
    publicFiles(LATER, ''),
  ]);
  expect(there).toEqual(own);
  expect(later).toEqual(own);
}

/** The marker, and what lies under its version: path -> sha256, each as the manifest says. */
async function publicFiles(Bucket: string, prefix: string) {
  const s3 = new S3Client({ forcePathStyle: true });
  const read = async (key: string) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: `${prefix}${key}` }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: prefix }));
  const markers = Contents.flatMap(({ Key = '' }) =>
    Key.endsWith('/PUBLISHED.json') ? [Key.slice(prefix.length)] : [],
  );
  expect(markers).toHaveLength(1);
  const marker = publishedMarkerSchema.parse(JSON.parse(String(await read(markers[0] ?? ''))));
  const manifest = manifestSchema.parse(JSON.parse(String(await read(`${marker.prefix}/manifest.json`))));
  for (const file of manifest.files) expect(sha256(await read(`${marker.prefix}/${file.path}`))).toBe(file.sha256);
  return { marker, files: manifest.files };
}
