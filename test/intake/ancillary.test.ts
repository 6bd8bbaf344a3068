import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withDatabase } from '#adapters/duckdb.ts';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { findOneAncillary, listAncillary, registerAncillary } from '#cli/operations/ancillary.ts';
import { ancillaryObjectKey, findAncillary, needAncillary } from '#core/ancillary.ts';
import { sha256 } from '#core/digest.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-ancillary-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const cloud = () => ({
  table: new MemoryTable(),
  lake: new MemoryObjectStore(),
  identity: async () => 'arn:aws:iam::000000000000:user/operator',
});

const document = {
  version: 1,
  name: 'skymap-note',
  kind: 'document',
  title: 'How the tracts lie',
  file: 'note.txt',
  source: 'the survey',
  licence: 'CC-BY-4.0',
};

async function describeFile(name: string, description: object): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(description));
  return path;
}

async function parquet(name: string, query: string): Promise<void> {
  await withDatabase({ threads: 1 }, (database) =>
    database.run(`COPY (${query}) TO '${join(folder, name)}' (FORMAT parquet)`),
  );
}

test('a file is registered once, by its content, with source, licence and who did it', async () => {
  const here = cloud();
  await writeFile(join(folder, 'note.txt'), 'tracts');
  const path = await describeFile('note.json', document);

  const first = await registerAncillary(here, path);
  const again = await registerAncillary(here, path);

  expect(first).toMatchObject({
    outcome: 'registered',
    row: { source: 'the survey', licence: 'CC-BY-4.0', registeredBy: expect.stringContaining('operator') },
  });
  expect(again).toEqual({ ...first, outcome: 'unchanged' });
  const digest = sha256('tracts');
  expect(await findAncillary(here.table, digest)).toEqual(first.row);
  expect(await here.lake.getBytes(ancillaryObjectKey(digest, 'note.txt'))).toEqual(new TextEncoder().encode('tracts'));
  expect(await listAncillary(here)).toEqual([first.row]);
  expect(await findOneAncillary(here, digest.slice(0, 8))).toEqual(first.row);
  await expect(
    registerAncillary(here, await describeFile('other.json', { ...document, licence: 'MIT' })),
  ).rejects.toThrow('this content is registered already, as skymap-note, with another licence');
});

test('whoever needs another kind, or what is not there, hears of it', async () => {
  const here = cloud();
  await writeFile(join(folder, 'note.txt'), 'tracts');
  const { row } = await registerAncillary(here, await describeFile('note.json', document));

  await expect(needAncillary(here.table, row.object.sha256, ['map'], 'the recipe x')).rejects.toThrow(
    'the recipe x needs a file of kind map; skymap-note is of kind document',
  );
  await expect(needAncillary(here.table, sha256('none'), ['map'], 'the recipe x')).rejects.toMatchObject({
    code: 'ANCILLARY_UNKNOWN',
  });
  await expect(findOneAncillary(here, 'nothing')).rejects.toMatchObject({ code: 'ANCILLARY_UNKNOWN' });
});

describe('a HEALPix map', () => {
  const healpix = { quantity: 'ebv', order: 1, scheme: 'nested', frame: 'galactic', pixel: 'pixel', value: 'ebv' };
  const map = { ...document, name: 'dust', kind: 'map', file: 'map.parquet', healpix };

  test.each([
    [
      'a pixel of a finer order',
      'SELECT range AS pixel, 0.1 AS ebv FROM range(49)',
      '1 rows have a pixel that is none of order 1 (0 to 47)',
    ],
    ['a pixel twice', 'SELECT range // 2 AS pixel, 0.1 AS ebv FROM range(10)', '5 rows repeat a pixel'],
    [
      'a row without a pixel',
      'SELECT CASE WHEN range > 0 THEN range END AS pixel, 0.1 AS ebv FROM range(10)',
      '1 rows have no pixel',
    ],
    ['no value', 'SELECT range AS pixel, -1.6375e30 AS ebv FROM range(48)', 'no row has a usable ebv'],
    ['no row', 'SELECT range AS pixel, 0.1 AS ebv FROM range(0)', 'it has no rows'],
    ['another column', 'SELECT range AS pixel, 0.1 AS av FROM range(48)', 'it cannot be read'],
  ])('is refused with %s', async (_title, query, problem) => {
    await parquet('map.parquet', query);

    await expect(registerAncillary(cloud(), await describeFile('map.json', map))).rejects.toThrow(problem);
  });

  test('is taken when it is one, also of a part of the sky', async () => {
    await parquet('map.parquet', 'SELECT range AS pixel, 0.1 AS ebv FROM range(10, 30)');

    const { row } = await registerAncillary(cloud(), await describeFile('map.json', map));

    expect(row).toMatchObject({ kind: 'map', healpix, object: { key: `ancillary/${row.object.sha256}.parquet` } });
  });

  test('says how it is one', async () => {
    const { healpix: _none, ...without } = map;

    await expect(registerAncillary(cloud(), await describeFile('map.json', without))).rejects.toThrow(
      'healpix: a file of kind map, and no other, says how it is a HEALPix map',
    );
  });
});

test.each([
  ['(1, 10, 20, -5, 5)', null],
  ['(1, 350, 10, -5, 5)', null],
  ['(1, 10, 20, 5, -5)', '1 rows have no box'],
  ['(1, 10, 20, -5, 5), (1, 20, 30, -5, 5)', '1 rows repeat a tract'],
])('tracts are boxes: %s', async (rows, problem) => {
  await parquet('tracts.parquet', `SELECT * FROM (VALUES ${rows}) AS t(tract, ra_from, ra_to, dec_from, dec_to)`);
  const path = await describeFile('tracts.json', { ...document, kind: 'tracts', file: 'tracts.parquet' });

  const registered = registerAncillary(cloud(), path);

  if (problem === null) expect((await registered).outcome).toBe('registered');
  else await expect(registered).rejects.toThrow(problem);
});
