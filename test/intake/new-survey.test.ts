import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examineChunk } from '#adapters/chunk-examiner.ts';
import { type Database, parquetRelation, withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { registerRelease } from '#cli/operations/register-release.ts';
import { algorithmSchema } from '#core/algorithm.ts';
import { recordAncillary } from '#core/ancillary.ts';
import { readRelease } from '#core/chunk-book.ts';
import { asDigest } from '#core/digest.ts';
import { quoteLiteral } from '#core/sql.ts';
import lephare from '#schemas/algorithms/lephare.json' with { type: 'json' };

/** A survey that no file of the repository knows: fluxes in two bands, a sentinel of its own, names of its own. */
const PROFILE = {
  name: 'invented',
  version: 1,
  description: 'A survey that does not exist',
  id: 'SRC',
  ra: 'ALPHA',
  dec: 'DELTA',
  kind: 'flux',
  bands: { g: { value: 'FG', error: 'SIGMA_G' }, z: { value: 'FZ', error: 'SIGMA_Z' } },
  missing: [-9999],
  primary: 'BEST',
  deliveredCoordinates: { ra: 'ra', dec: 'dec' },
};
const RECIPE = { name: 'best', version: 1, description: 'One row an object', decimals: 3, maxRowsPerPart: 1000 };

const REGISTRATION = {
  version: 1,
  release: 'invented-1',
  title: 'The first release of a survey that does not exist',
  profile: 'conventions/invented.json',
  recipe: 'best.json',
  trainingSet: 'training.parquet',
  trainingOrigin: { source: 'doi:10.0000/spectra', licence: 'CC-BY-4.0' },
  campaign: {
    name: 'photoz',
    algorithms: ['fzboost'],
    heldOut: { fraction: 0.2, seed: 1 },
    partsPerBatch: 2,
    partition: { thresholdRows: 4000, highestOrder: 10 },
    caps: { microUsd: 1000, coreSeconds: 1000 },
  },
};

let folder = '';
const cloud = {
  table: new MemoryTable(),
  lake: new MemoryObjectStore(),
  identity: async () => 'arn:aws:iam::1:user/x',
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-survey-'));
  await mkdir(join(folder, 'conventions'));
  await writeFile(join(folder, 'conventions', 'invented.json'), JSON.stringify(PROFILE));
  await writeFile(join(folder, 'best.json'), JSON.stringify({ ...RECIPE, cut: 'primary = 1' }));
  await writeFile(join(folder, 'training.parquet'), 'redshifts');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function register(registration: object = REGISTRATION) {
  const path = join(folder, 'registration.json');
  await writeFile(path, JSON.stringify(registration));
  return registerRelease(cloud, path);
}

/** 1,000 objects, 1 in 10 not detected in g, 1 in 4 not the best of its kind. */
function writeChunk(database: Database, path: string): Promise<unknown> {
  return database.run(
    `COPY (SELECT 7000 + i AS "SRC", 10 + i / 1000.0::DOUBLE AS "ALPHA", -5 + i / 2000.0::DOUBLE AS "DELTA",
       (CASE WHEN i % 10 = 0 THEN -9999 ELSE 100 + i END)::DOUBLE AS "FG", (5 + i / 100.0)::DOUBLE AS "SIGMA_G",
       (400 + i)::DOUBLE AS "FZ", (6 + i / 100.0)::DOUBLE AS "SIGMA_Z", i % 4 > 0 AS "BEST"
     FROM range(1000) AS t(i)) TO ${quoteLiteral(path)} (FORMAT parquet)`,
  );
}

test('a survey is a file: registered by its path, its chunks are examined and made skinny', async () => {
  const chunk = join(folder, 'chunk.parquet');
  expect(await register()).toMatchObject({ release: 'invented-1', outcome: 'registered' });
  const { spec } = await readRelease(cloud.table, 'invented-1');
  expect(spec).toMatchObject({ profile: PROFILE, recipe: RECIPE, trainingOrigin: REGISTRATION.trainingOrigin });

  const rows = await withDatabase({ threads: 1 }, async (database) => {
    await writeChunk(database, chunk);
    const sha256 = asDigest(await fileDigest(chunk));
    const expected = { declaredSha256: sha256, manifest: { sha256, rows: 1000 } };
    const file = { path: chunk, sha256, sizeBytes: 1 };
    const examined = await examineChunk(database, file, expected, spec.profile, []);
    if (examined.kind === 'refused') throw new Error(JSON.stringify(examined.findings));
    expect(examined.findings).toEqual([]);
    const derived = await writeSkinnyParts(database, chunk, folder, examined.source.profile, spec.recipe, {
      source: examined.source.relation,
    });
    if (derived.kind === 'unreadable') throw new Error(derived.reason);
    return database.rows(
      `SELECT "objectId"::INTEGER AS id, mag_g, magerr_g, mag_z, mag_u FROM ${parquetRelation(derived.files.map(({ path }) => path))} ORDER BY 1`,
    );
  });

  expect(rows).toHaveLength(750);
  // 31.4 - 2.5 log10(101) and (2.5 / ln 10) 5.01 / 101, to three decimals.
  expect(rows[0]).toMatchObject({ id: 7001, mag_g: expect.closeTo(26.389, 5), magerr_g: expect.closeTo(0.054, 5) });
  expect(rows[0]).toMatchObject({ mag_z: expect.closeTo(24.892, 5), mag_u: null });
  expect(rows.find(({ id }) => id === 7010)).toMatchObject({ mag_g: null, magerr_g: null });
});

test('partitions are limited by rows or by megabytes, not by both or neither', async () => {
  const limited = (partition: object) =>
    register({ ...REGISTRATION, release: 'invented-large', campaign: { ...REGISTRATION.campaign, partition } });

  for (const both of [{ thresholdRows: 1, thresholdMegabytes: 1 }, {}]) {
    await expect(limited({ ...both, highestOrder: 10 })).rejects.toThrow(/either thresholdRows or thresholdMegabytes/);
  }
  expect(await limited({ thresholdMegabytes: 300, highestOrder: 10 })).toMatchObject({ outcome: 'registered' });
});

test.each([
  ['the profile is not there', { profile: 'no-such.json' }, /no-such\.json/],
  ['the profile has no such name', { profile: 'no-such' }, /there is no profile named no-such/],
  ['the training set has a source and no licence', { trainingOrigin: { source: 'x' } }, /licence/],
])('a registration is refused where %s', async (_what, change, message) => {
  await expect(register({ ...REGISTRATION, release: 'other', ...change })).rejects.toThrow(message);
});

test('the partitions of another catalogue are kept with the release, and a list of none is refused at once', async () => {
  const csv = 'Norder,Npix\n1,2\n2,17\n';
  await writeFile(join(folder, 'partition_info.csv'), csv);
  await writeFile(join(folder, 'overlapping.csv'), 'Norder,Npix\n1,4\n2,17\n');

  await register({ ...REGISTRATION, release: 'invented-tiles', partitionInfo: 'partition_info.csv' });
  const { spec } = await readRelease(cloud.table, 'invented-tiles');

  expect(String(Buffer.from((await cloud.lake.getBytes(spec.partitionInfo?.key ?? '')) ?? []))).toBe(csv);
  for (const [partitionInfo, words] of [
    ['overlapping.csv', /pixel 4 of order 1 and pixel 17 of order 2 overlap/],
    ['no-such.csv', /no-such\.csv cannot be read/],
  ] as const) {
    await expect(register({ ...REGISTRATION, release: 'invented-none', partitionInfo })).rejects.toThrow(words);
  }
  await expect(readRelease(cloud.table, 'invented-none')).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' });
});

test('a cut of the training set leaves what it says, is on record, and gives equal bytes', async () => {
  const rows = `SELECT i AS "objectId", i / 10 AS redshift, (18 + i / 5)::FLOAT AS mag_i, 0.1::FLOAT AS magerr_i FROM range(40) t(i)`;
  const whole = join(folder, 'spectra.parquet');
  await withDatabase({ threads: 1 }, (database) => database.run(`COPY (${rows}) TO ${quoteLiteral(whole)}`));
  const cut = 'mag_i < 24 and redshift between 0.5 and 3';
  const wanted = { ...REGISTRATION, trainingSet: 'spectra.parquet', trainingCut: cut };

  await register({ ...wanted, release: 'invented-cut' });
  const again = await register({ ...wanted, release: 'invented-cut' });
  const { spec } = await readRelease(cloud.table, 'invented-cut');

  expect(again.outcome).toBe('unchanged');
  expect(spec.trainingCut).toEqual({ cut, of: await fileDigest(whole) });
  const kept = join(folder, 'kept.parquet');
  await writeFile(kept, (await cloud.lake.getBytes(spec.trainingSet.key)) ?? '');
  const count = await withDatabase({ threads: 1 }, (database) =>
    database.rows(
      `SELECT count(*)::INTEGER AS rows, min(redshift) AS low, max(mag_i) < 24 AS bright FROM ${parquetRelation([kept])}`,
    ),
  );
  expect(count).toEqual([{ rows: 25, low: 0.5, bright: true }]);
});

test.each([
  ['of a column that it has not', 'mag_g < 24', 'cannot be followed'],
  ['that nobody can read', 'mag_i <', 'cannot be read'],
  ['of SQL', 'mag_i < 24; DROP TABLE x', 'cannot be read'],
  ['that keeps nothing', 'redshift > 9', 'keeps no row'],
])('a cut of the training set %s is refused, and nothing is registered', async (_what, trainingCut, words) => {
  const wanted = { ...REGISTRATION, release: 'invented-bad', trainingSet: 'spectra.parquet', trainingCut };

  await expect(register(wanted)).rejects.toMatchObject({
    code: 'TRAINING_CUT_INVALID',
    message: expect.stringContaining(words),
  });
  await expect(readRelease(cloud.table, 'invented-bad')).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' });
});

test('an algorithm whose ancillary file is not registered is refused; once it is, the release says where it lies', async () => {
  const campaign = { ...REGISTRATION.campaign, algorithms: ['lephare', 'fzboost'] };
  const registration = { ...REGISTRATION, release: 'invented-2', campaign };
  await expect(register(registration)).rejects.toMatchObject({
    code: 'ANCILLARY_UNKNOWN',
    message: expect.stringContaining('the algorithm lephare (lephare-data) needs the ancillary file'),
    hint: expect.stringContaining('ponte ancillary register'),
  });

  const [need] = algorithmSchema.parse(lephare).ancillary;
  if (!need?.sha256) throw new Error('lephare names no content');
  const object = { key: `ancillary/${need.sha256}.tar`, sha256: need.sha256, sizeBytes: 7 };
  const about = { title: 'T', source: 'S', licence: 'MIT', fileName: 'd.tar', registeredAt: '', registeredBy: 'ana' };
  await recordAncillary(cloud.table, { name: 'data', kind: 'templates', ...about, object });
  expect(await register(registration)).toMatchObject({ outcome: 'registered' });
  const { spec } = await readRelease(cloud.table, 'invented-2');
  expect(spec.algorithms.lephare).toMatchObject({ ancillary: [{ name: 'lephare-data', ...object }] });
  expect(spec.algorithms.fzboost).not.toHaveProperty('ancillary');
});
