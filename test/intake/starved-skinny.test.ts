import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withDatabase } from '#adapters/duckdb.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { profileNamed, recipeNamed, writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

/** The short form of `npm run bench -- skinny-memory`: the engine refuses what is beyond its limit. */
const ROWS = 800_000;
const MEMORY_MIB = 36;
const STARVED = { threads: 1, memoryLimit: `${MEMORY_MIB}MiB` } as const;

let folder = '';
let chunk = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-starved-'));
  chunk = join(folder, 'chunk.parquet');
  await withDatabase({ threads: 2 }, (database) =>
    writeSurveyChunk(database, chunk, 'lsst-dp1', { rows: ROWS, narrow: true, rowGroupRows: 20_000 }),
  );
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const profile = profileNamed('lsst-dp1');
const recipe = { ...recipeNamed('skinny'), maxRowsPerPart: 20_000 };

test('derives a chunk that is larger than the memory it has, through the disk', async () => {
  const derived = await withDatabase({ ...STARVED, temporaryFolder: folder }, (database) =>
    writeSkinnyParts(database, chunk, folder, profile, recipe, { rowsAtOnce: 30_000 }),
  );

  expect((await stat(chunk)).size).toBeGreaterThan(MEMORY_MIB * 2 ** 20);
  const files = derived.kind === 'parts' ? derived.files : [];
  expect(files.reduce((sum, { rows }) => sum + rows, 0)).toBeGreaterThan(0.9 * ROWS);
  expect(Math.max(...files.map(({ rows }) => rows))).toBeLessThanOrEqual(recipe.maxRowsPerPart);
}, 60_000);

test('fails by the name of what is short, and condemns no chunk, where all at once does not fit', async () => {
  const derived = withDatabase(STARVED, (database) =>
    writeSkinnyParts(database, chunk, folder, profile, recipe, { rowsAtOnce: ROWS }),
  );

  await expect(derived).rejects.toThrow(/out of memory/i);
}, 60_000);
