import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, parquetRelation, withDatabase } from '#adapters/duckdb.ts';
import { finishCatalogue } from '#adapters/hats-finisher.ts';
import { localLeafTails } from '#adapters/hats-leaf-tails.ts';
import { filesBelow } from '#adapters/hats-manifest.ts';
import { packPartition } from '#adapters/hats-packer.ts';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { InputError } from '#core/errors.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';
import {
  buildCatalogue,
  CATALOGUE,
  leafRelation,
  packBase,
  type SyntheticCatalogue,
  type SyntheticParts,
  writeParts,
} from './synthetic-catalogue.ts';

const ROWS = 200_000;
const MAX_ROWS = 10_000;

let folder: string;
let parts: SyntheticParts;
let built: SyntheticCatalogue;

beforeAll(async () => {
  await prepareCheckers();
  folder = await mkdtemp(join(tmpdir(), 'ponte-pack-'));
  parts = await writeParts(join(folder, 'parts'), ROWS, 3);
  built = await buildCatalogue(join(folder, 'collection'), parts, MAX_ROWS);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const firstLeaf = () => {
  const [leaf] = built.leaves;
  if (!leaf) throw new Error('the catalogue has no leaves');
  return leaf;
};

describe('the packed catalogue', () => {
  test('passes our verifier, with the rows that went in', async () => {
    const stages = new Set<string>();

    const report = await verifyCatalogue({
      source: built.folder,
      expectedRows: ROWS,
      manifestSha256: built.manifestSha256,
      onProgress: ({ stage, done, total }) => done === total && stages.add(stage),
    });

    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ sound: true, rows: ROWS, leaves: built.leaves.length, collection: 'synthetic' });
    expect([...stages]).toEqual(['partitions', 'ids', 'digests']);
  });

  test('holds every object once, in order, and the estimates that were given for it', async () => {
    const leaves = built.leaves
      .map((leaf) => leafRelation(built.folder, leaf))
      .map((source) => `SELECT * FROM ${source}`);
    const points = parts.points.map(({ name, points: paths }) => `${parquetRelation(paths)} ${name}`);

    const rows = await withDatabase({}, (database: Database) =>
      database.rows(`SELECT count(*)::INTEGER AS rows, count(DISTINCT leaf.objectId)::INTEGER AS ids,
        count(*) FILTER (WHERE leaf.coord_ra <> skinny.ra OR leaf.coord_dec <> skinny."dec")::INTEGER AS moved,
        count(*) FILTER (WHERE leaf.bpz_z_err95_high IS DISTINCT FROM bpz.bpz_z_err95_high)::INTEGER AS other_bpz,
        count(*) FILTER (WHERE leaf.fzboost_z_best IS DISTINCT FROM fzboost.fzboost_z_best)::INTEGER AS other_fzboost,
        count(*) FILTER (WHERE leaf.bpz_template IS DISTINCT FROM
          CASE WHEN bpz.bpz_z_best IS NOT NULL THEN bpz.bpz_template END)::INTEGER AS other_template,
        count(DISTINCT leaf.bpz_template)::INTEGER AS templates,
        count(*) FILTER (WHERE leaf.fzboost_flags IS NULL)::INTEGER AS without_fzboost
        FROM (${leaves.join(' UNION ALL ')}) leaf
        JOIN ${parquetRelation(parts.skinny)} skinny USING (objectId)
        LEFT JOIN ${points[0]} USING (objectId) LEFT JOIN ${points[1]} USING (objectId)`),
    );

    const intact = { rows: ROWS, ids: ROWS, moved: 0, other_bpz: 0, other_fzboost: 0, other_template: 0, templates: 8 };
    expect(rows).toEqual([{ ...intact, without_fzboost: parts.missing }]);
    expect(built.leaves.reduce((sum, { missing }) => sum + (missing.fzboost ?? 0), 0)).toBe(parts.missing);
  });

  test('opens in LSDB: rows, index and cone searches agree with brute force, and hats accepts it strictly', async () => {
    const answer: unknown = JSON.parse(
      await runChecker('test/lsdb/check_catalogue.py', built.folder, '--expected-rows', String(ROWS)),
    );

    expect(answer).toMatchObject({ agrees: true, strictly_valid: true, rows: ROWS, partitions: built.leaves.length });
    expect(answer).toMatchObject({
      thumbnail: { rows: built.leaves.length, same_as_hats: true },
      default_columns: ['objectId', 'coord_ra', 'coord_dec', 'bpz_z_best', 'fzboost_z_best'],
    });
  });

  test('is refused by that check when the rows are not those expected', async () => {
    const check = runChecker('test/lsdb/check_catalogue.py', built.folder, '--expected-rows', String(ROWS + 1));

    await expect(check).rejects.toThrow(/status 1/);
  });

  test('is described so that pyarrow, astropy and hats read the same as the leaves say', async () => {
    const answer: unknown = JSON.parse(await runChecker('test/python/judge_catalogue.py', built.folder, CATALOGUE));

    expect(answer).toMatchObject({
      metadata: { rows: ROWS, row_groups_wrong: 0, files_match: true, common_rows: 0, common_schema_equal: true },
      votable_valid: true,
      ucds_invalid: [],
      title: 'Synthetic: é = x',
      description: 'made for tests',
      maps: { 'point_map.fits': ROWS, 'skymap.fits': ROWS, 'skymap.4.fits': ROWS, 'skymap.6.fits': ROWS },
      map_at_order_3: ROWS,
    });
    expect(answer).toHaveProperty('votable_fields.2', ['coord_ra', 'double', 'deg', 'pos.eq.ra;meta.main']);
    expect(answer).toHaveProperty('votable_fields.13', ['bpz_template', 'int', '', 'meta.code;src.class']);
    expect(answer).toHaveProperty('votable_fields.14', ['bpz_flags', 'int', '', 'meta.code.qual']);
    expect(JSON.stringify(answer)).not.toContain('fzboost_template');
  });
});

describe('packing', () => {
  test('gives the same bytes again, whatever the threads and the order of the parts', async () => {
    const { order, pixel, sha256, path } = firstLeaf();
    const base = packBase(join(folder, 'again'), parts);

    const again = await packPartition({
      ...base,
      pixel: { order, pixel },
      skinny: parts.skinny.toReversed(),
      algorithms: parts.points.map((each) => ({ ...each, points: each.points.toReversed() })),
      database: { threads: 2 },
    });

    expect(again.sha256).toBe(sha256);
    const bytes = await readFile(join(base.folder, path));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
  });

  test('gives the same bytes within 64 MiB of memory, spilling where it must', async () => {
    // The base cell that holds the dense field: two thirds of all rows.
    const pixel = { order: 0, pixel: 8 };
    const spill = join(folder, 'spill');
    const free = await packPartition({ ...packBase(join(folder, 'free'), parts), pixel });

    const bound = await packPartition({
      ...packBase(join(folder, 'bound'), parts),
      pixel,
      database: { threads: 1, memoryLimit: '64MiB', temporaryFolder: spill },
    });

    expect(bound.rows).toBeGreaterThan(ROWS / 2);
    expect(bound.sha256).toBe(free.sha256);
  });

  test('keeps all objects, with NULL, when an algorithm has failed for all of them', async () => {
    const { order, pixel, rows } = firstLeaf();
    const base = packBase(join(folder, 'failed'), parts);
    const algorithms = parts.points.map((each) => ({ ...each, points: each.name === 'bpz' ? [] : each.points }));

    const packed = await packPartition({ ...base, pixel: { order, pixel }, algorithms });

    expect(packed.rows).toBe(rows);
    expect(packed.missing.bpz).toBe(rows);
    const relation = parquetRelation([join(base.folder, packed.path)]);
    const [found] = await withDatabase({}, (database) =>
      database.rows(`SELECT count(bpz_z_best) AS bpz, count(fzboost_z_best) > 0 AS fzboost
        FROM ${relation}`),
    );
    expect(found).toMatchObject({ bpz: 0n, fzboost: true });
    const tail = localLeafTails(base.folder, [packed]);
    const counts = { order, counts: [[pixel, rows]] as const };
    await finishCatalogue({ ...built.finish, folder: join(folder, 'failed-finished'), leaves: tail, counts });
  });

  const refused = async (change: Partial<Parameters<typeof packPartition>[0]>) => {
    const { order, pixel } = firstLeaf();
    const base = packBase(join(folder, 'refused'), parts);
    await mkdir(base.folder, { recursive: true });
    const error: unknown = await packPartition({ ...base, pixel: { order, pixel }, ...change }).catch(
      (reason) => reason,
    );
    const left = await readdir(base.folder, { recursive: true });
    expect(left.filter((name) => name.includes('.parquet'))).toEqual([]);
    expect(error).toBeInstanceOf(InputError);
    return error;
  };

  test('refuses a skinny part given twice, and leaves no file', async () => {
    const error = await refused({ skinny: [...parts.skinny, ...parts.skinny.slice(0, 1)] });

    expect(error).toMatchObject({ code: 'OBJECT_ID_NOT_UNIQUE', message: expect.stringContaining('the skinny parts') });
  });

  test('refuses points given twice, and says of which algorithm', async () => {
    const algorithms = parts.points.map((each) => ({ ...each, points: [...each.points, ...each.points.slice(0, 1)] }));

    const error = await refused({ algorithms });

    expect(error).toMatchObject({ code: 'OBJECT_ID_NOT_UNIQUE', message: expect.stringContaining('points of bpz') });
  });

  test('refuses a pixel that holds other rows than planned', async () => {
    const error = await refused({ expectedRows: firstLeaf().rows + 1 });

    expect(error).toMatchObject({ code: 'ROWS_UNEXPECTED' });
  });
});

describe('finishing', () => {
  test('gives the same bytes again, from leaves in any order', async () => {
    const before = await contents(built.folder);

    await finishCatalogue({
      ...built.finish,
      leaves: localLeafTails(join(built.folder, CATALOGUE), built.leaves.toReversed()),
    });

    expect(await contents(built.folder)).toEqual(before);
  });

  test('refuses counts that are not those of the leaves', async () => {
    const { order, counts } = built.finish.counts;
    const [first, ...others] = [...counts];
    const [pixel, rows] = first ?? [0, 0];
    const finish = (changed: [number, number][]) =>
      finishCatalogue({
        ...built.finish,
        folder: join(folder, 'unfinished'),
        leaves: localLeafTails(join(built.folder, CATALOGUE), built.leaves),
        counts: { order, counts: [...changed, ...others] },
      });

    await expect(finish([[pixel, rows + 1]])).rejects.toMatchObject({ code: 'LEAF_ROWS_DIFFER' });
    await expect(finish([])).rejects.toMatchObject({ code: 'LEAF_ROWS_DIFFER' });
  });

  test('refuses a missing leaf and a leaf of another shape', async () => {
    const { order, pixel } = firstLeaf();
    const other = await packPartition({
      ...packBase(join(folder, 'other'), parts),
      pixel: { order, pixel },
      coordinates: { ra: 'ra', dec: 'dec' },
    });
    const finish = (leaves: Parameters<typeof finishCatalogue>[0]['leaves']) =>
      finishCatalogue({ ...built.finish, folder: join(folder, 'unfinished'), leaves });
    const tails = localLeafTails(join(built.folder, CATALOGUE), built.leaves.slice(1));
    const mixed = async function* () {
      yield* localLeafTails(join(folder, 'other', CATALOGUE), [other]);
      yield* localLeafTails(join(built.folder, CATALOGUE), built.leaves.slice(1));
    };

    await expect(finish(tails)).rejects.toMatchObject({ code: 'LEAF_ROWS_DIFFER' });
    await expect(finish(mixed())).rejects.toMatchObject({ code: 'LEAF_SCHEMA_DIFFERS' });
    await expect(finish([])).rejects.toMatchObject({ code: 'LEAF_UNREADABLE' });
  });
});

/** Path to digest of every file below a folder. */
async function contents(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of await filesBelow(root)) {
    found[path] = createHash('sha256')
      .update(await readFile(join(root, path)))
      .digest('hex');
  }
  return found;
}
