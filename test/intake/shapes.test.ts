import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { landingObject } from '#core/release.ts';
import { profileNamed, recipeNamed, writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-shapes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a chunk may lie in folders, as partitioned tables do', () => {
  const name = 'tract=5063/patch=12/part-0.parquet';

  expect(landingObject(`releases/dp1/chunks/${name}`)).toEqual({ kind: 'chunk', release: 'dp1', name });
});

test.each([
  '../dp2/chunks/a.parquet',
  'a//b.parquet',
  '/a.parquet',
  'a/../b.parquet',
  '.hidden',
])('what is no plain path is no chunk: %s', (name) => {
  expect(landingObject(`releases/dp1/chunks/${name}`)).toEqual({ kind: 'other' });
});

test('row groups of any size give the same bytes', async () => {
  const digests: (readonly string[])[] = [];
  for (const rowGroupRows of [2048, 6144, 122_880]) {
    const own = join(folder, String(rowGroupRows));
    await mkdir(own);
    const chunk = join(own, 'chunk.parquet');
    const derived = await withDatabase({ threads: 2, temporaryFolder: folder }, async (database) => {
      await writeSurveyChunk(database, chunk, 'lsst-dp1', { rows: 9000, rowGroupRows, narrow: true, edges: true });
      const recipe = { ...recipeNamed('skinny'), maxRowsPerPart: 4000 };
      return writeSkinnyParts(database, chunk, own, profileNamed('lsst-dp1'), recipe);
    });
    if (derived.kind !== 'parts') throw new Error(derived.reason);
    digests.push(await Promise.all(derived.files.map(({ path }) => fileDigest(path))));
  }

  expect(digests[0]).toHaveLength(3);
  expect(digests).toEqual(digests.map(() => digests[0]));
});

test('a file of a few rows, and one of none, are derived too', async () => {
  const rowsOf = async (rows: number) => {
    const own = join(folder, `rows-${rows}`);
    await mkdir(own);
    const chunk = join(own, 'chunk.parquet');
    return withDatabase({ threads: 1, temporaryFolder: folder }, async (database) => {
      await writeSurveyChunk(database, chunk, 'des-dr2', { rows });
      const derived = await writeSkinnyParts(database, chunk, own, profileNamed('des-dr2'), recipeNamed('skinny'));
      return derived.kind === 'parts' ? derived.files.map((file) => file.rows) : derived.reason;
    });
  };

  expect(await rowsOf(3)).toEqual([3]);
  expect(await rowsOf(0)).toEqual([]);
});
