import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { deliverCollection, destinationsSchema } from '#cli/operations/deliver-collection.ts';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { buildCatalogue, type SyntheticCatalogue, writeParts } from '#test/hats/synthetic-catalogue.ts';

let cloud: CloudUnderTest;
let root: string;
let built: SyntheticCatalogue;
let bucket: string;
/** Where the version's files are, in the bucket. */
let prefix: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'ponte-remote-'));
  cloud = await CloudUnderTest.start();
  built = await buildCatalogue(join(root, 'collection'), await writeParts(join(root, 'parts'), 3000, 2), 1000);
  bucket = await cloud.bucket();
  process.env.REMOTE_TEST_KEY = 'test';
  const variables = { accessKeyId: 'REMOTE_TEST_KEY', secretAccessKey: 'REMOTE_TEST_KEY' };
  const place = { name: 'store', kind: 's3', bucket, prefix: 'public/', region: 'us-east-1' };
  const { destinations } = destinationsSchema.parse({
    version: 1,
    destinations: [{ ...place, endpoint: cloud.handle.url, variables }],
  });
  const [outcome] = await deliverCollection(built.folder, destinations, { now: new Date() });
  prefix = `public/${outcome?.published}`;
}, 120_000);
afterAll(async () => {
  rmSync(root, { recursive: true, force: true });
  await cloud.remove();
});

const answerSchema = z.object({
  sound: z.boolean().optional(),
  rows: z.int().optional(),
  findings: z.array(z.object({ code: z.string() })).optional(),
  error: z.object({ code: z.string() }).optional(),
});

/** The command itself, without any credentials and without a deployment. */
async function verify(path: string) {
  const scratch = mkdtempSync(join(root, 'scratch-'));
  const options = [
    '--anonymous',
    '--endpoint',
    cloud.handle.url,
    '--region',
    'us-east-1',
    '--scratch',
    scratch,
    '--json',
  ];
  const entry = join(import.meta.dirname, '../../cli/main.ts');
  const env = { PATH: process.env.PATH, HOME: root, PONTE_HOME: join(root, 'nothing') };
  const child = spawn(process.execPath, [entry, 'verify', `s3://${bucket}/${path}`, ...options], { env });
  let stdout = '';
  for await (const chunk of child.stdout) stdout += chunk;
  expect(readdirSync(scratch)).toEqual([]);
  const { findings = [], ...answer } = answerSchema.parse(JSON.parse(stdout));
  return { ...answer, codes: findings.map(({ code }) => code) };
}

describe('ponte verify of a bucket', () => {
  it('finds a sound collection sound, by its public name and by its version', async () => {
    const sound = { sound: true, rows: built.rows, codes: [] };

    expect(await verify('public/synthetic')).toEqual(sound);
    expect(await verify(`${prefix}/`)).toEqual(sound);
  });

  it('finds a changed bit, a replaced manifest and a missing file', async () => {
    const path = `object_photoz/${built.leaves[0]?.path}`;
    const Body = readFileSync(join(built.folder, path));
    Body[100] = (Body[100] ?? 0) ^ 1;
    const put = (name: string, bytes: Buffer) =>
      cloud.s3.send(new PutObjectCommand({ Bucket: bucket, Key: `${prefix}/${name}`, Body: bytes }));
    await put(path, Body);
    const manifest = readFileSync(join(built.folder, 'manifest.json'));
    await put('manifest.json', Buffer.concat([manifest, Buffer.from('\n')]));
    await cloud.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${prefix}/object_photoz/point_map.fits` }));

    const { sound, codes } = await verify('public/synthetic');

    expect(sound).toBe(false);
    expect(codes).toEqual(expect.arrayContaining(['FILE_DIGEST', 'MANIFEST_REPLACED', 'FILE_MISSING']));
  });

  it('says what is wrong with a place where nothing is', async () => {
    expect(await verify('elsewhere')).toMatchObject({ error: { code: 'COLLECTION_MISSING' } });
  });
});
