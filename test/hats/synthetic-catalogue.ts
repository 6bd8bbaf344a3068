import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Database, parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { type FinishRequest, finishCatalogue, localLeafTails } from '#adapters/hats-finisher.ts';
import { writeManifest } from '#adapters/hats-manifest.ts';
import { type PackedLeaf, type PackRequest, packPartition } from '#adapters/hats-packer.ts';
import type { Digest } from '#core/digest.ts';
import { ESTIMATE_SUFFIXES } from '#core/hats/columns.ts';
import { partitionSky } from '#core/hats/partition.ts';
import { healpix29Sql } from '#core/healpix.ts';

export const ALGORITHMS = ['bpz', 'fzboost'] as const;
export const CATALOGUE = 'object_photoz';
export const COORDINATES = { ra: 'coord_ra', dec: 'coord_dec' };
const COUNT_ORDER = 10;

/** Every 97th object has no row from fzboost, and every 89th a row without estimates and with a flag. */
const MISSING_EVERY = 97;
const FLAGGED_EVERY = 89;

export interface SyntheticParts {
  readonly rows: number;
  readonly skinny: readonly string[];
  readonly points: readonly { readonly name: string; readonly points: readonly string[] }[];
  readonly counts: readonly (readonly [number, number])[];
  readonly missing: number;
}

/**
 * Writes skinny parts and points like those that the pipeline makes, with the sky's hard places: 0/360 degrees, a
 * pole, a dense field and a thin background. Equal for equal `rows`. Parts follow the ids, so each covers all the sky.
 */
export async function writeParts(folder: string, rows: number, parts: number): Promise<SyntheticParts> {
  await mkdir(folder, { recursive: true });
  return await withDatabase({}, async (database) => {
    const u = (salt: number) => `(hash(i, ${salt})::DOUBLE / 18446744073709551616e0)`;
    await database.run(
      `CREATE TABLE sky AS ${healpix29Sql(
        `(SELECT i, 1152921504606846976 + i * 1000003 AS objectId,
        CASE WHEN i % 20 < 13 THEN 56 + 9 * ${u(1)} WHEN i % 20 < 15 THEN (359.2 + 1.6 * ${u(1)}) % 360
          ELSE 360 * ${u(1)} END AS ra,
        CASE WHEN i % 20 < 13 THEN -40 + 7 * ${u(2)} WHEN i % 20 < 15 THEN 3 * ${u(2)} - 1.5
          WHEN i % 20 < 16 THEN -90 + 2 * sqrt(${u(2)}) ELSE degrees(asin(2 * ${u(2)} - 1)) END AS "dec",
        18 + 7 * ${u(3)} AS mag_r, 0.05 + 2.4 * ${u(4)} AS z, 0.01 + 0.02 * ${u(5)} AS width
        FROM range(${rows}) r(i))`,
        'ra',
        'dec',
      )}`,
    );
    const skinny: string[] = [];
    for (let part = 0; part < parts; part++) {
      const path = join(folder, `skinny-${part}.parquet`);
      const select = 'SELECT _healpix_29, objectId, ra, "dec", mag_r::FLOAT AS mag_r FROM sky';
      const inPart = `i >= ${Math.floor((rows * part) / parts)} AND i < ${Math.floor((rows * (part + 1)) / parts)}`;
      await copy(database, `${select} WHERE ${inPart} ORDER BY _healpix_29, objectId`, path);
      skinny.push(path);
    }
    const points = [];
    for (const name of ALGORITHMS) {
      const files: string[] = [];
      for (const half of [0, 1]) {
        const path = join(folder, `${name}-${half}.parquet`);
        await copy(database, `${pointsSql(name)} AND i % 2 = ${half}`, path);
        files.push(path);
      }
      points.push({ name, points: files });
    }
    return { rows, skinny, points, counts: await countPixels(database), missing: Math.ceil(rows / MISSING_EVERY) };
  });
}

export interface SyntheticCatalogue {
  readonly folder: string;
  readonly rows: number;
  readonly leaves: readonly PackedLeaf[];
  readonly finish: FinishRequest;
  readonly manifestSha256: Digest;
}

/** Packs the parts as one collection in `folder`, the way the pipeline does. */
export async function buildCatalogue(
  folder: string,
  parts: SyntheticParts,
  maxRows: number,
): Promise<SyntheticCatalogue> {
  const leaves: PackedLeaf[] = [];
  for (const { order, pixel, rows } of partitionSky(parts.counts, { countOrder: COUNT_ORDER, maxRows })) {
    leaves.push(await packPartition({ ...packBase(folder, parts), pixel: { order, pixel }, expectedRows: rows }));
  }
  const finish: FinishRequest = {
    folder,
    collection: 'synthetic',
    catalogue: CATALOGUE,
    shape: { coordinates: COORDINATES, algorithms: ALGORITHMS },
    leaves: localLeafTails(join(folder, CATALOGUE), leaves),
    counts: { order: COUNT_ORDER, counts: parts.counts },
    provenance: { title: 'Synthetic: é = x', description: 'made for tests', createdAt: '2026-01-02T03:04:05Z' },
  };
  const { rows, files } = await finishCatalogue(finish);
  const packed = leaves.map(({ path, sha256, sizeBytes }) => ({ path: `${CATALOGUE}/${path}`, sha256, sizeBytes }));
  const manifest = await writeManifest(folder, { collection: 'synthetic', rows, known: [...packed, ...files] });
  return { folder, rows, leaves, finish, manifestSha256: manifest.sha256 };
}

export function packBase(folder: string, { skinny, points }: SyntheticParts): Omit<PackRequest, 'pixel'> {
  return {
    folder: join(folder, CATALOGUE),
    table: { name: CATALOGUE, description: 'Synthetic <test> & "quotes"' },
    coordinates: COORDINATES,
    skinny,
    algorithms: points,
    // Several row groups in each leaf.
    encoding: { rowGroupRows: 2048 },
  };
}

function pointsSql(name: string): string {
  const offsets = [0, 0.001, 0.002, 0, -1, 1, -2, 2];
  const estimates = ESTIMATE_SUFFIXES.map((suffix, index) => {
    const value = `least(greatest(z + width * ${offsets[index]}, 0), 3)`;
    return `CASE WHEN i % ${FLAGGED_EVERY} <> 0 THEN ${value}::FLOAT END AS ${name}_${suffix}`;
  });
  const flags = `(CASE WHEN i % ${FLAGGED_EVERY} = 0 THEN 4 ELSE 0 END)::INTEGER AS ${name}_flags`;
  const present = name === 'fzboost' ? `i % ${MISSING_EVERY} <> 0` : 'true';
  return `SELECT objectId, ${estimates.join(', ')}, ${flags} FROM sky WHERE ${present}`;
}

async function copy(database: Database, select: string, path: string): Promise<void> {
  await database.run(`COPY (${select}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`);
}

async function countPixels(database: Database): Promise<[number, number][]> {
  const shift = 2 * (29 - COUNT_ORDER);
  const rows = await database.rows(
    `SELECT (_healpix_29 >> ${shift})::DOUBLE AS pixel, count(*)::DOUBLE AS n FROM sky GROUP BY 1 ORDER BY 1`,
  );
  return z
    .array(z.object({ pixel: z.number(), n: z.number() }))
    .parse(rows)
    .map(({ pixel, n }) => [pixel, n]);
}

/** All rows of one leaf, for tests that look inside. */
export const leafRelation = (folder: string, leaf: PackedLeaf): string =>
  parquetRelation([join(folder, CATALOGUE, leaf.path)]);
