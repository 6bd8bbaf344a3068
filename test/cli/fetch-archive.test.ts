import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { fetchArchive } from '#cli/operations/fetch-archive.ts';
import { planDigest, readChunkSet } from '#core/campaign.ts';
import { openCampaign } from '#core/campaign-book.ts';
import { chunkId, partKey } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import { sha256 } from '#core/digest.ts';
import { manifestSchema } from '#core/hats/manifest.ts';
import type { JobResult, ReturnedObject } from '#core/job.ts';
import { expectedKey } from '#core/release.ts';
import { estimateRowKey, outputKey, workPrefix } from '#core/work.ts';
import { run } from '#local/process.ts';
import { registerSample, sampleSpec } from '#test/core/sample-release.ts';

const { release, campaign } = sampleSpec;
const CHUNKS = ['a.parquet', 'b.parquet'];
const partOf = (chunk: string) => sha256(`part of ${chunk}`);

let table: MemoryTable;
let lake: MemoryObjectStore;
let folder: string;
beforeEach(async () => {
  [table, lake] = [new MemoryTable(), new MemoryObjectStore()];
  folder = await mkdtemp(join(tmpdir(), 'ponte-archive-'));
  await registerSample(table);
  for (const name of CHUNKS) {
    const id = chunkId(release, name, sha256(name));
    const line = { name, sha256: sha256(name), rows: 7, sizeBytes: 1, outcome: 'skinny', chunkId: id };
    const ref = { key: `lake/${name}`, sha256: sha256(name), sizeBytes: 1 };
    const part = {
      partId: partOf(name),
      chunkId: id,
      index: 0,
      rows: 7,
      skinny: ref,
      pixels: { ...ref, offsetBytes: 0 },
    };
    await table.write([{ kind: 'put', item: { ...expectedKey(release, name), ...line } }]);
    await table.write([{ kind: 'put', item: { ...partKey(release, id, 0), ...part } }]);
  }
  const digest = planDigest(await readRelease(table, release), await readChunkSet(table, release));
  await openCampaign(table, {
    ...{ campaign: 'c', release, planDigest: digest, chunkSetDigest: digest, execution: 'E', state: 'packing' },
    ...{ chunks: 2, quarantinedChunks: 0, rows: 14, parts: 2, stages: {} },
  });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a job leaves of one chunk's part: points, and p(z) as RAIL has them where `archive` is their content. */
async function estimate(algorithm: string, chunk: string, archive: string | null): Promise<void> {
  const [unitId, workKey] = [partOf(chunk), sha256(`${algorithm} ${chunk}`)];
  const prefix = workPrefix('estimate', workKey);
  const outputs: ReturnedObject[] = [];
  for (const [name, content] of Object.entries({ points: 'points', archive })) {
    if (content === null || (name !== 'points' && name !== 'archive')) continue;
    const bytes = new TextEncoder().encode(content);
    const key = outputKey(prefix, { unitId, name, sha256: sha256(bytes) });
    outputs.push({ ...(await lake.putBytes(key, bytes, 'application/x-hdf5')), unitId, name, rows: 7 });
  }
  const [points] = outputs;
  if (!points) throw new Error('no points');
  const result: JobResult = { version: 1, workKey, kind: 'estimate', site: 'apollo', outputs, records: [] };
  await lake.putBytes(`${prefix}/result.json`, new TextEncoder().encode(JSON.stringify(result)), 'application/json');
  await table.write([{ kind: 'put', item: { ...estimateRowKey('c', unitId, algorithm), ...points } }]);
}

const read = (name: string) => readFile(join(folder, name), 'utf8');

test('the archive is every part of every algorithm, with what it is of, its digests and a manifest', async () => {
  for (const algorithm of campaign.algorithms) {
    for (const chunk of CHUNKS) await estimate(algorithm, chunk, `${algorithm} of ${chunk}`);
  }

  const fetched = await fetchArchive({ table, lake }, 'c', folder);

  expect(fetched).toMatchObject({ files: 4, without: 0 });
  expect(await read(`knn/${partOf('b.parquet')}.hdf5`)).toBe('knn of b.parquet');
  const [head, first, ...others] = (await read('parts.csv')).trim().split('\n');
  expect(head?.split(',').slice(0, 4)).toEqual(['algorithm', 'chunk', 'part', 'partId']);
  expect(first).toMatch(/^bpz,a\.parquet,0,/);
  expect(others).toHaveLength(3);
  const { files, rows, collection, about } = manifestSchema.parse(JSON.parse(await read('manifest.json')));
  expect([files.length, rows, collection, about.campaign]).toEqual([6, 14, 'dp0_photoz_archive', 'c']);
  expect(await run(['sha256sum', '--check', '--quiet', 'SHA256SUMS'], { cwd: folder })).toBe('');
});

test('brought again it fetches what is missing or damaged, and leaves the rest', async () => {
  for (const chunk of CHUNKS) await estimate('bpz', chunk, chunk);
  await fetchArchive({ table, lake }, 'c', folder);
  const [sound, damaged] = CHUNKS.map((chunk) => join(folder, 'bpz', `${partOf(chunk)}.hdf5`));
  const before = await stat(sound ?? '');
  await writeFile(damaged ?? '', 'x.parquet');

  await fetchArchive({ table, lake }, 'c', folder);

  expect(await readFile(damaged ?? '', 'utf8')).toBe('b.parquet');
  expect((await stat(sound ?? '')).mtimeMs).toBe(before.mtimeMs);
});

test('parts that were estimated without are counted; without any it is refused, and nothing is written', async () => {
  for (const chunk of CHUNKS) await estimate('knn', chunk, null);
  await expect(fetchArchive({ table, lake }, 'c', folder)).rejects.toMatchObject({
    code: 'ARCHIVE_MISSING',
    message: 'the campaign c has no archive; 2 parts have estimates',
  });
  expect(await readdir(folder)).toEqual([]);

  await estimate('bpz', 'a.parquet', 'kept');

  expect(await fetchArchive({ table, lake }, 'c', folder)).toMatchObject({ files: 1, without: 2 });
});
