import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { fileDigest } from '#adapters/file-digest.ts';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { packPartitionOf } from '#adapters/partition-packer.ts';
import { packAgain } from '#cli/operations/pack-again.ts';
import { openCampaign, setCatalogue } from '#core/campaign-book.ts';
import { sha256 } from '#core/digest.ts';
import { writeDocument } from '#core/documents.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';
import { partitionSky } from '#core/hats/partition.ts';
import { PART_KINDS } from '#core/hats/parts.ts';
import type { ObjectRef } from '#core/job.ts';
import {
  filesPrefix,
  type PackingPlan,
  type PartitionTask,
  packingPlanKey,
  partitionOrdersKey,
  planFolders,
} from '#core/partition-task.ts';
import { ALGORITHMS, COORDINATES, SHAPE, type SyntheticParts, writeParts } from '#test/hats/synthetic-catalogue.ts';

const PLAN: PackingPlan = {
  version: 3,
  ...{ campaign: 'c', release: 'r', title: 'A sky', createdAt: '2026-11-29T00:00:00Z', rows: 600, counts: [] },
  ...{ algorithms: [...ALGORITHMS], templates: [...SHAPE.templates], coordinates: COORDINATES, marginArcsec: 10 },
  ...{ prefix: 'catalogues/1', name: 'r_object_photoz' },
};
const PROPERTIES = 'collection.properties';

let home: string;
let parts: SyntheticParts;
let table: MemoryTable;
let lake: MemoryObjectStore;
let partitions: number;
let folder: string;
let kept: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'ponte-pack-'));
  parts = await writeParts(join(home, 'parts'), PLAN.rows, 2, { withPdfs: true });
  [table, lake] = [await campaignTable(), new MemoryObjectStore()];
  await packInCloud();
});
beforeEach(async () => {
  [folder, kept] = [join(await mkdtemp(join(home, 'to-')), 'photoz'), await mkdtemp(join(home, 'kept-'))];
});
afterAll(() => rm(home, { recursive: true, force: true }));

async function campaignTable(): Promise<MemoryTable> {
  const opened = new MemoryTable();
  const campaign = { campaign: 'c', release: 'r', planDigest: sha256('plan'), chunkSetDigest: sha256('chunks') };
  const sums = { chunks: 1, quarantinedChunks: 0, rows: PLAN.rows, parts: 2, stages: {} };
  await openCampaign(opened, { ...campaign, ...sums, execution: 'E', state: 'packing' });
  return opened;
}

/** What the functions leave in the lake of a campaign that has been packed. */
async function packInCloud(): Promise<void> {
  const put = async (path: string): Promise<ObjectRef> =>
    lake.putFile(`parts/${basename(path)}`, path, await fileDigest(path));
  const inputs: PartitionTask['parts'] = [];
  for (const [index, skinny] of parts.skinny.entries()) {
    const points: Record<string, ObjectRef> = {};
    for (const { name, points: files } of parts.points) points[name] = await put(files[index] ?? '');
    const pdfs: Record<string, ObjectRef> = {};
    for (const [name, [file]] of Object.entries(parts.pdfs)) if (index === 0) pdfs[name] = await put(file ?? '');
    inputs.push({ partId: sha256(skinny), skinny: await put(skinny), points, pdfs });
  }
  const plan = await writeDocument(lake, packingPlanKey('c'), PLAN);
  const collection = join(home, 'in-the-cloud');
  const folders = planFolders(PLAN);
  const files: ManifestFile[] = [];
  const orders: { plan: ObjectRef; task: ObjectRef }[] = [];
  for (const { order, pixel, rows } of partitionSky(parts.counts, { countOrder: 10, maxRows: 400 })) {
    const task: PartitionTask = { version: 2, order, pixel, rows, parts: inputs, around: [] };
    orders.push({ plan, task: await writeDocument(lake, `tasks/${order}-${pixel}.json`, task) });
    const packed = await packPartitionOf(PLAN, task, { collection, scratch: join(home, 'scratch') }, lake);
    for (const kind of PART_KINDS) {
      const file = packed[kind];
      if (file === null) continue;
      const path = `${folders[kind]}/${file.path}`;
      await lake.putFile(`${filesPrefix(PLAN)}${path}`, join(collection, path), file.sha256);
      files.push({ path, sha256: file.sha256, sizeBytes: file.sizeBytes });
    }
  }
  partitions = orders.length;
  await writeDocument(lake, partitionOrdersKey('c'), orders);
  const small = await lake.putBytes(`${filesPrefix(PLAN)}${PROPERTIES}`, Buffer.from('a = b\n'), 'text/plain');
  files.push({ path: PROPERTIES, sha256: small.sha256, sizeBytes: small.sizeBytes });
  const content = { version: 1, collection: PLAN.name, rows: PLAN.rows, about: {}, files };
  const manifest = await writeDocument(lake, `${filesPrefix(PLAN)}${MANIFEST}`, content);
  const { name, prefix, rows } = PLAN;
  await setCatalogue(table, 'c', { name, prefix, manifest, rows, partitions });
}

const pack = () => packAgain({ table, lake }, 'c', folder, { kept, atOnce: 2 });

async function expectTheBytesOfTheCloud(): Promise<void> {
  const collection = join(home, 'in-the-cloud');
  const leaves = (await readdir(collection, { recursive: true })).filter((path) => path.endsWith('.parquet'));
  expect(leaves.length).toBeGreaterThan(3 * partitions - 1);
  for (const path of leaves)
    expect(await fileDigest(join(folder, path))).toBe(await fileDigest(join(collection, path)));
  const there = await readdir(folder, { recursive: true });
  expect(there.filter((path) => path.endsWith('.parquet')).sort()).toEqual(leaves.sort());
  expect(await readFile(join(folder, PROPERTIES), 'utf8')).toBe('a = b\n');
  expect(existsSync(join(folder, MANIFEST))).toBe(true);
  expect(existsSync(`${folder}.packing`)).toBe(false);
}

test('the table is packed to the bytes of the manifest; what lies here does not come out of the cloud', async () => {
  const first = await pack();
  await expectTheBytesOfTheCloud();
  await rm(folder, { recursive: true });
  const again = await pack();
  await expectTheBytesOfTheCloud();

  expect(first.cloudBytes).toBeGreaterThan(0);
  expect(again).toMatchObject({ rows: 600, partitions, cloudBytes: 0, copiedBytes: 6 });
  expect(again.hereBytes).toBe(first.cloudBytes + first.hereBytes);
});

test('it goes on where it was, and makes again what is damaged, without a manifest in the meantime', async () => {
  await pack();
  const [leaf = ''] = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.parquet'));
  await writeFile(join(folder, leaf), 'cut short');
  const seen: boolean[] = [];
  const onPartition = () => seen.push(existsSync(join(folder, MANIFEST)));

  const mended = await packAgain({ table, lake }, 'c', folder, { kept, atOnce: 1, onPartition });

  await expectTheBytesOfTheCloud();
  expect(seen).toEqual(Array.from({ length: partitions }, () => false));
  expect(mended).toMatchObject({ cloudBytes: 0 });
});

test('it says so before there is a catalogue, and when other bytes come of it', async () => {
  const early = packAgain({ table: await campaignTable(), lake }, 'c', folder, { kept, atOnce: 2 });
  await expect(early).rejects.toMatchObject({ name: 'InputError', code: 'NOT_PACKED' });
  expect(existsSync(folder)).toBe(false);
  await writeDocument(lake, packingPlanKey('c'), { ...PLAN, title: 'Another sky' });

  await expect(pack()).rejects.toMatchObject({ name: 'InputError', code: 'PACKED_DIFFERENTLY' });

  expect(existsSync(join(folder, MANIFEST))).toBe(false);
  expect(existsSync(`${folder}.packing`)).toBe(false);
});
