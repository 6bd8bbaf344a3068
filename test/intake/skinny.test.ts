import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openChunk, type ReferenceFiles } from '#adapters/chunk-source.ts';
import { withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { ChunkSummarizer } from '#adapters/summary-reader.ts';
import { readValues } from '#adapters/value-reader.ts';
import type { HealpixMap } from '#core/ancillary.ts';
import { sha256 } from '#core/digest.ts';
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
async function derive(
  survey: Survey,
  recipe: Recipe,
  options: SurveyChunkOptions,
  columns?: readonly string[],
  map?: NonNullable<ReferenceFiles['map']>,
) {
  cases += 1;
  const [chunk, profilePath, recipePath] = ['chunk.parquet', 'profile.json', 'recipe.json'].map((name) =>
    join(folder, `${cases}-${name}`),
  );
  const own = await mkdtemp(join(folder, 'parts-'));
  const profile = profileNamed(survey);
  let withoutEbv = 0;
  const files = await withDatabase({ threads: 2 }, async (database) => {
    await writeSurveyChunk(database, chunk ?? '', survey, options);
    const ofFile = columns ? profileOfFile(profile, new Set(columns)) : profile;
    const source = await openChunk(database, chunk ?? '', ofFile, map ? { map } : {});
    const values = await readValues(database, chunk ?? '', source.profile, { source: source.relation });
    if (values.kind === 'statistics') withoutEbv = values.statistics.rows - (values.statistics.withEbv ?? 0);
    const derived = await writeSkinnyParts(database, chunk ?? '', own, source.profile, recipe, {
      source: source.relation,
    });
    return derived.kind === 'parts' ? derived.files : [];
  });
  const ofMap = map ? [map.path, join(folder, `${cases}-map.json`)] : [];
  if (map && ofMap[1]) await writeFile(ofMap[1], JSON.stringify(map.healpix));
  await writeFile(profilePath ?? '', JSON.stringify(profile));
  await writeFile(recipePath ?? '', JSON.stringify(recipe));
  const paths = files.map(({ path }) => path);
  const judge = async () =>
    judgementSchema.parse(
      JSON.parse(
        await runChecker(
          'test/intake/numpy_skinny.py',
          chunk ?? '',
          profilePath ?? '',
          recipePath ?? '',
          ...ofMap,
          ...paths,
        ),
      ),
    );
  return { files, judge, withoutEbv };
}

const EVERYWHERE = { quantity: 'ebv', pixel: 'hpx', value: 'sfd' } as const;

describe.each([
  { order: 7, scheme: 'nested', frame: 'icrs' },
  { order: 9, scheme: 'ring', frame: 'icrs' },
  { order: 6, scheme: 'nested', frame: 'galactic' },
  { order: 8, scheme: 'ring', frame: 'galactic' },
] as const)('a map of E(B-V), $scheme of order $order in $frame', (facts) => {
  const healpix: HealpixMap = { ...EVERYWHERE, ...facts };
  const { coefficients } = recipeNamed('gold-dereddened').dereddening ?? { coefficients: {} };
  const recipe: Recipe = { ...recipeNamed('skinny'), dereddening: { coefficients, map: sha256('the map') } };
  const pixels = 12 * 4 ** facts.order;
  /** A value that tells each pixel from its neighbours, and in some pixels none: a hole, NaN, UNSEEN, less than 0. */
  const values = `CASE range % 97 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN -1.6375e30 WHEN 2 THEN -0.01 ELSE (range * 7919 % 1000) / 5000 END`;

  // dc2-rail has no E(B-V) of its own.
  test('dereddens the objects in each of its pixels as numpy does, all over the sky', async () => {
    const map = join(folder, `map-${facts.scheme}-${facts.frame}.parquet`);
    await withDatabase({ threads: 1 }, (database) =>
      database.run(
        `COPY (SELECT range AS hpx, ${values} AS sfd FROM range(${pixels}) WHERE range % 101 > 0) TO '${map}' (FORMAT parquet)`,
      ),
    );
    const all = {
      ra: 'CASE WHEN i < 20 THEN v ELSE u1 * 360 END',
      dec: 'CASE WHEN i < 20 THEN v ELSE degrees(asin(2 * u2 - 1)) END',
    };
    const options = { rows: 20_000, edges: true, replace: all };

    const { judge, withoutEbv } = await derive('dc2-rail', recipe, options, undefined, { path: map, healpix });
    const { rows, compared, lastDigit, worse } = await judge();

    expect(worse).toEqual([]);
    expect(rows).toBe(20_000);
    expect(compared).toBeGreaterThan(100_000);
    expect(lastDigit / compared).toBeLessThan(1e-3);
    // 3 of 97 and 1 of 101.
    expect(withoutEbv).toBeGreaterThan(500);
    expect(withoutEbv).toBeLessThan(1200);
  });
});

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

test('derives a chunk that goes through the disk in slices to the bytes it has in one go', async () => {
  const chunk = join(folder, 'sliced.parquet');
  const profile = profileNamed('lsst-dp1');
  const recipe = { ...recipeNamed('gold-dereddened'), maxRowsPerPart: 700 };
  const derived = async (rowsAtOnce: number) => {
    const own = await mkdtemp(join(folder, 'sliced-'));
    return withDatabase({ threads: 2, temporaryFolder: own }, async (database) => {
      const summarizer = new ChunkSummarizer();
      const parts = await writeSkinnyParts(database, chunk, own, profile, recipe, {
        rowsAtOnce,
        look: (rows) => summarizer.add(database, rows),
      });
      const files = parts.kind === 'parts' ? parts.files : [];
      const digests = await Promise.all(files.map(({ path }) => fileDigest(path)));
      const counts = files.map(({ rows, pixels }) => ({ rows, pixels }));
      return {
        digests,
        counts,
        summary: summarizer.summary,
        left: (await readdir(own)).filter((name) => !name.startsWith('part-')),
      };
    });
  };
  await withDatabase({ threads: 2 }, (database) =>
    writeSurveyChunk(database, chunk, 'lsst-dp1', { rows: 20_000, narrow: true }),
  );

  const [whole, sliced] = [await derived(20_000), await derived(1500)];

  expect(whole.digests.length).toBeGreaterThan(10);
  expect(sliced.left).toEqual(['slices']);
  expect({ ...sliced, left: [] }).toEqual(whole);
});
