import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import type { ObjectRef } from '#core/job.ts';
import { partitionOrderSchema } from '#core/verification-order.ts';
import {
  concludeCatalogue,
  planIdRanges,
  planVerification,
  type VerificationServices,
  verifyPartition,
} from '#functions/verification.ts';
import { inLake } from './mapped-verification.ts';
import { buildCatalogue, type SyntheticCatalogue, writeParts } from './synthetic-catalogue.ts';

let folder: string;
let scratch: string;
let intact: SyntheticCatalogue;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-steps-'));
  scratch = await mkdtemp(join(folder, 'scratch-'));
  intact = await buildCatalogue(join(folder, 'intact'), await writeParts(join(folder, 'parts'), 400, 1), 200);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ordersIn = async (lake: MemoryObjectStore, { key }: ObjectRef) =>
  z.array(partitionOrderSchema).parse(JSON.parse(new TextDecoder().decode((await lake.getBytes(key)) ?? undefined)));

type Lake = VerificationServices['lake'];

/** A lake whose files come otherwise than they lie there. */
const fetching = (lake: MemoryObjectStore, getFile: Lake['getFile']): Lake => ({
  list: (prefix) => lake.list(prefix),
  getBytes: (key, range) => lake.getBytes(key, range),
  putBytes: (key, bytes, type) => lake.putBytes(key, bytes, type),
  getFile,
});

/** Brings a file with one bit flipped. */
async function damaged(lake: MemoryObjectStore, key: string, path: string) {
  const found = await lake.getFile(key, path);
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 4, bytes.length >> 1);
  await writeFile(path, bytes);
  return { ...found, sha256: sha256(bytes) };
}

test('what is damaged on its way to a look once is no damage, and what comes so again is', async () => {
  const { lake, catalogue } = await inLake(intact.folder, intact);
  const [order] = await ordersIn(lake, await planVerification('campaign', catalogue, { lake, scratch }));
  if (!order) throw new Error('there is no partition');
  const seen = new Set<string>();
  const once = fetching(lake, async (key, path) => {
    const again = seen.has(key);
    seen.add(key);
    return again ? lake.getFile(key, path) : damaged(lake, key, path);
  });
  const always = fetching(lake, (key, path) => damaged(lake, key, path));
  const digest = async (services: Lake): Promise<Digest | undefined> =>
    (await verifyPartition(order, { lake: services, scratch })).files.object?.sha256;

  expect(await digest(once)).toBe(order.look.files.object?.sha256);
  expect(seen.size).toBe(1);
  expect(await digest(always)).not.toBe(order.look.files.object?.sha256);
});

test('a look that fails is an error and leaves no record, and no catalogue is judged without all of them', async () => {
  const { lake, catalogue } = await inLake(intact.folder, intact);
  const partitions = await planVerification('campaign', catalogue, { lake, scratch });
  const orders = await ordersIn(lake, partitions);
  const throttled = fetching(lake, () => {
    throw new TransientError('slow down', { code: 'THROTTLED', hint: 'again' });
  });
  expect(orders.length).toBeGreaterThan(2);
  for (const order of orders.slice(1)) await verifyPartition(order, { lake, scratch });

  const [first] = orders;
  const failed = first && verifyPartition(first, { lake: throttled, scratch });

  await expect(failed).rejects.toMatchObject({ code: 'THROTTLED', retryable: true });
  await expect(planIdRanges('campaign', partitions, { lake })).rejects.toMatchObject({
    code: 'VERIFICATION_INCOMPLETE',
  });
});

test('what was found of one catalogue is not taken for another with the same partitions', async () => {
  const { lake, catalogue } = await inLake(intact.folder, intact);
  const services = { lake, scratch };
  const partitions = await planVerification('campaign', catalogue, services);
  for (const order of await ordersIn(lake, partitions)) await verifyPartition(order, services);
  const idRanges = await planIdRanges('campaign', partitions, services);
  const other = { ...catalogue, manifest: { ...catalogue.manifest, sha256: sha256('another manifest') } };

  const again = await planVerification('campaign', other, services);

  await expect(concludeCatalogue(other, intact.rows, { partitions: again, idRanges }, services)).rejects.toMatchObject({
    code: 'VERIFICATION_INCOMPLETE',
  });
});
