import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { withDatabase } from '#adapters/duckdb.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { profileOfFile } from '#core/profile.ts';
import type { Recipe } from '#core/recipe.ts';
import {
  profileNamed,
  recipeNamed,
  SURVEYS,
  type Survey,
  type SurveyChunkOptions,
  writeSurveyChunk,
} from '#test/fixtures/survey-chunk.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-skinny-'));
  await prepareCheckers();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const judgementSchema = z.object({
  rows: z.int(),
  compared: z.int(),
  lastDigit: z.int(),
  worse: z.array(z.string()),
});

let cases = 0;
async function derive(survey: Survey, recipe: Recipe, options: SurveyChunkOptions, columns?: readonly string[]) {
  cases += 1;
  const [chunk, profilePath, recipePath] = ['chunk.parquet', 'profile.json', 'recipe.json'].map((name) =>
    join(folder, `${cases}-${name}`),
  );
  const own = await mkdtemp(join(folder, 'parts-'));
  const profile = profileNamed(survey);
  const files = await withDatabase({ threads: 2 }, async (database) => {
    await writeSurveyChunk(database, chunk ?? '', survey, options);
    const ofFile = columns ? profileOfFile(profile, new Set(columns)) : profile;
    const derived = await writeSkinnyParts(database, chunk ?? '', own, ofFile, recipe);
    return derived.kind === 'parts' ? derived.files : [];
  });
  await writeFile(profilePath ?? '', JSON.stringify(profile));
  await writeFile(recipePath ?? '', JSON.stringify(recipe));
  const paths = files.map(({ path }) => path);
  const judge = async () =>
    judgementSchema.parse(
      JSON.parse(
        await runChecker('test/intake/numpy_skinny.py', chunk ?? '', profilePath ?? '', recipePath ?? '', ...paths),
      ),
    );
  return { files, judge };
}

describe.each(SURVEYS)('%s', (survey) => {
  test('derives what numpy computes, at the edges too', async () => {
    const { judge } = await derive(survey, recipeNamed('skinny'), { rows: 2000, edges: true });

    const { rows, compared, lastDigit, worse } = await judge();

    expect(worse).toEqual([]);
    expect(rows).toBe(2000);
    expect(compared).toBeGreaterThan(10_000);
    // A half that falls on the other side in the last bit of a logarithm.
    expect(lastDigit / compared).toBeLessThan(1e-4);
  });
});

test.each(['lsst-dp1', 'des-dr2'] as const)('%s: dereddens and cuts as numpy does', async (survey) => {
  const { judge } = await derive(survey, recipeNamed('gold-dereddened'), { rows: 2000, edges: true });

  const { rows, worse } = await judge();

  expect(worse).toEqual([]);
  expect(rows).toBeGreaterThan(300);
  expect(rows).toBeLessThan(1600);
});

test('derives a file without an optional band: it is not detected', async () => {
  const columns = Object.values(profileNamed('des-dr2').bands).flatMap(({ value, error }) => [value, error]);
  const without = ['MAG_AUTO_Y', 'MAGERR_AUTO_Y'];
  const there = columns.filter((name) => !without.includes(name));

  const { judge } = await derive('des-dr2', recipeNamed('skinny'), { rows: 500, without }, there);

  expect(await judge()).toMatchObject({ rows: 500, worse: [] });
});

test('derives equal bytes from equal input, and balanced parts', async () => {
  const recipe = { ...recipeNamed('gold-dereddened'), maxRowsPerPart: 400 };

  const once = await derive('lsst-dp1', recipe, { rows: 2000 });
  const twice = await derive('lsst-dp1', recipe, { rows: 2000 });

  const sizes = once.files.map(({ rows }) => rows);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(400);
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  const bytes = async (files: typeof once.files) => Promise.all(files.map(({ path }) => readFile(path)));
  expect(await bytes(once.files)).toEqual(await bytes(twice.files));
});

test('leaves no part where the cut keeps no row', async () => {
  const { files } = await derive('lsst-dp1', { ...recipeNamed('skinny'), cut: 'mag_i < 1' }, { rows: 500 });

  expect(files).toEqual([]);
});
