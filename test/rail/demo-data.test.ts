import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, expect, test } from 'vitest';
import { sha256 } from '#core/digest.ts';
import { profileSchema } from '#core/profile.ts';
import { makeDamagedCopy, makeDemoData } from '#local/demo-data.ts';
import { prepareRail, type Rail } from './rail-worker.ts';

let rail: Rail;

beforeAll(async () => {
  rail = await prepareRail('demo-data');
});

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const catalogue = () => `read_parquet('${rail.demo.releaseFolder}/*.parquet')`;

/**
 * The pixel of a place, RING ordering, inside the equatorial zone |sin dec| < 2/3: ang2pix_ring of the HEALPix C
 * library, the inverse of what makes the coordinates.
 */
function ringPixel(nside: number, ra: number, dec: number): number {
  const z = Math.sin((dec * Math.PI) / 180);
  const quadrants = (ra / 90) % 4;
  const rising = Math.floor(nside * (0.5 + quadrants - 0.75 * z));
  const falling = Math.floor(nside * (0.5 + quadrants + 0.75 * z));
  const ring = nside + 1 + rising - falling;
  const shifted = (ring & 1) === 0 ? 1 : 0;
  const place = Math.floor((rising + falling - nside + shifted + 1) / 2);
  return 2 * nside * (nside - 1) + (ring - 1) * 4 * nside + (place % (4 * nside));
}

test('the manifest tells every chunk by its digest', async () => {
  const { manifest, releaseFolder } = rail.demo;
  expect(manifest).toMatchObject({ release: 'dc2-demo', profile: 'dc2-rail', keyNumbers: { rows: 20449 } });
  expect(manifest.note).toContain('no coordinates of its own');
  expect(manifest.chunks).toHaveLength(6);
  for (const chunk of manifest.chunks) {
    const content = await readFile(join(releaseFolder, chunk.name));
    expect(chunk).toMatchObject({ sha256: sha256(content), sizeBytes: content.length });
  }
  expect((await readdir(releaseFolder)).sort()).toEqual([...manifest.chunks.map(({ name }) => name), 'manifest.json']);
});

test('the catalogue has the columns of its profile, and no redshift', async () => {
  const text = await readFile(join(import.meta.dirname, '../../schemas/profiles/dc2-rail.json'), 'utf8');
  const profile = profileSchema.parse(JSON.parse(text));
  const bands = Object.values(profile.bands).flatMap(({ value, error }) => [value, error]);
  const columns = await query(`DESCRIBE SELECT * FROM ${catalogue()}`);
  const types = Object.fromEntries(columns.map(({ column_name, column_type }) => [column_name, column_type]));
  const expected = Object.fromEntries(bands.map((name) => [name, 'FLOAT']));
  expect(types).toEqual({ [profile.id]: 'BIGINT', [profile.ra]: 'DOUBLE', [profile.dec]: 'DOUBLE', ...expected });
  const [counts] = await query(
    `SELECT count(*) AS n, count(DISTINCT id) AS ids, countif(mag_u_lsst = 99) AS missing FROM ${catalogue()}`,
  );
  expect(counts).toEqual({ n: '20449', ids: '20449', missing: '1489' });
});

test('the coordinates fill their pixel evenly, and the files say where they come from', async () => {
  const rows = await query(`SELECT ra, dec FROM ${catalogue()}`);
  const places = rows.map(({ ra, dec }) => [Number(ra), Number(dec)] as const);
  expect(new Set(places.map(([ra, dec]) => ringPixel(32, ra, dec)))).toEqual(new Set([9816]));
  const inside = new Map<number, number>();
  for (const [ra, dec] of places) inside.set(ringPixel(128, ra, dec), (inside.get(ringPixel(128, ra, dec)) ?? 0) + 1);
  // 16 sub-pixels of 1278 +- 35 each; five standard deviations.
  expect(inside.size).toBe(16);
  for (const count of inside.values()) expect(Math.abs(count - 20449 / 16)).toBeLessThan(5 * 35);
  const metadata = await query(
    `SELECT decode(value) AS note FROM parquet_kv_metadata('${rail.demo.releaseFolder}/*.parquet') WHERE decode(key) = 'ponte.note'`,
  );
  expect(metadata.map(({ note }) => note)).toEqual(Array(6).fill(rail.demo.manifest.note));
});

test('the training set has redshifts, NULL for a non-detection, and no object of the catalogue', async () => {
  const training = `read_parquet('${rail.demo.trainingPath}')`;
  const [counts] = await query(
    `SELECT count(*) AS n, count(redshift) AS known, countif(mag_u IS NULL AND magerr_u IS NULL) AS missing,
       countif(mag_u > 90) AS sentinels,
       (SELECT count(*) FROM ${catalogue()} AS c JOIN ${training} AS t ON c.id = t."objectId") AS shared FROM ${training}`,
  );
  expect(counts).toEqual({ n: '10225', known: '10225', missing: '714', sentinels: '0', shared: '0' });
  const [truth] = await query(
    `SELECT count(*) AS n FROM read_parquet('${rail.demo.truthPath}') JOIN ${catalogue()} USING (id) WHERE redshift > 0`,
  );
  expect(truth).toEqual({ n: '20449' });
});

test('the same bytes come out again, in as many chunks as asked for', async () => {
  const { python, folder } = rail;
  const log = () => {};
  const again = await makeDemoData({ python, folder: join(folder, 'again'), log });
  expect(again.manifest).toEqual(rail.demo.manifest);
  for (const which of ['trainingPath', 'truthPath'] as const) {
    expect(sha256(await readFile(again[which]))).toBe(sha256(await readFile(rail.demo[which])));
  }
  const two = await makeDemoData({ python, folder: join(folder, 'two'), chunks: 2, log });
  expect(two.manifest.chunks.map(({ rows }) => rows)).toEqual([10224, 10225]);
});

test('a damaged copy differs by one bit, and only its digest tells', async () => {
  const source = join(rail.demo.releaseFolder, 'dc2-demo-02.parquet');
  const target = join(rail.folder, 'damaged.parquet');
  await makeDamagedCopy({ python: rail.python, source, target });
  const [intact, damaged] = [await readFile(source), await readFile(target)];
  expect(damaged).toHaveLength(intact.length);
  const changed = [...intact.keys()].filter((offset) => intact[offset] !== damaged[offset]);
  expect(changed).toHaveLength(1);
  const [difference] = await query(
    `SELECT count(*) AS n, max(abs(a.mag_i_lsst - b.mag_i_lsst)) AS largest
     FROM '${source}' AS a JOIN '${target}' AS b ON a.id = b.id WHERE a.mag_i_lsst <> b.mag_i_lsst`,
  );
  expect(difference?.n).toBe('1');
  expect(difference?.largest).toBeLessThan(0.01);
});
