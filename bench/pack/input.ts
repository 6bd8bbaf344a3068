import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Database, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { ESTIMATE_SUFFIXES } from '#core/hats/columns.ts';
import { healpix29Sql, type Pixel } from '#core/healpix.ts';

export const CATALOGUE = 'object_photoz';
export const COORDINATES = { ra: 'coord_ra', dec: 'coord_dec' };
export const NAMES = ['bpz', 'fzboost'];
export const COUNT_ORDER = 10;
/** Rows of a part, as intake cuts them. */
const PART_ROWS = 130_000;

export const skinnyPath = (folder: string, part: number) => join(folder, `skinny-${part}.parquet`);
export const pointsPath = (folder: string, name: string, part: number) => join(folder, `${name}-${part}.parquet`);
export const joinedPath = (folder: string, part: number) => join(folder, `joined-${part}.parquet`);
const countsPath = (folder: string) => join(folder, 'counts.json');

const countsSchema = z.array(z.array(z.tuple([z.number(), z.number()])));
type Counts = z.infer<typeof countsSchema>;

/**
 * Writes a sky of so many objects twice: as skinny parts and points, which Ponte packs, and with all columns in one
 * file a part, which hats-import packs. Rows per pixel of order 10 and part lie beside them, as intake leaves them.
 *
 * @returns how many parts there are.
 */
export async function writeInput(folder: string, rows: number): Promise<number> {
  await mkdir(folder, { recursive: true });
  const parts = Math.ceil(rows / PART_ROWS);
  await withDatabase({ threads: 2 }, async (database) => {
    const uniform = (salt: number) => `(hash(i, ${salt})::DOUBLE / 18446744073709551616e0)`;
    const sky = `(SELECT i, 1152921504606846976 + i * 1000003 AS objectId, 56 + 9 * ${uniform(1)} AS ra,
      -40 + 7 * ${uniform(2)} AS "dec", ${NAMES.map(estimates(uniform)).join(', ')} FROM range(${rows}) r(i))`;
    await database.run(`CREATE TABLE unsorted AS ${healpix29Sql(sky, 'ra', 'dec')}`);
    await database.run(`CREATE TABLE sky AS SELECT * EXCLUDE (i), row_number() OVER (ORDER BY _healpix_29) - 1 AS n
      FROM unsorted`);
    const counts: Counts = [];
    for (let part = 0; part < parts; part += 1) counts.push(await writePart(database, folder, part));
    await writeFile(countsPath(folder), JSON.stringify(counts));
  });
  return parts;
}

const columnsOf = (name: string) => [...ESTIMATE_SUFFIXES.map((suffix) => `${name}_${suffix}`), `${name}_flags`];

const estimates = (uniform: (salt: number) => string) => (name: string, index: number) =>
  ESTIMATE_SUFFIXES.map(
    (suffix, at) => `(${suffix === 'odds' ? 1 : 3} * ${uniform(10 + 10 * index + at)})::FLOAT AS ${name}_${suffix}`,
  )
    .concat(`0::INTEGER AS ${name}_flags`)
    .join(', ');

async function writePart(database: Database, folder: string, part: number): Promise<Counts[number]> {
  const of = `FROM sky WHERE n >= ${part * PART_ROWS} AND n < ${(part + 1) * PART_ROWS} ORDER BY n`;
  const copy = (columns: string, path: string) =>
    database.run(`COPY (SELECT ${columns} ${of}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`);
  await copy('_healpix_29, objectId, ra, "dec"', skinnyPath(folder, part));
  for (const name of NAMES) await copy(`objectId, ${columnsOf(name).join(', ')}`, pointsPath(folder, name, part));
  const all = NAMES.flatMap(columnsOf).join(', ');
  await copy(`objectId, ra AS coord_ra, "dec" AS coord_dec, ${all}`, joinedPath(folder, part));
  const rows = await database.rows(`SELECT (_healpix_29 >> ${2 * (29 - COUNT_ORDER)})::DOUBLE AS pixel,
    count(*)::DOUBLE AS n FROM (SELECT * ${of}) GROUP BY 1 ORDER BY 1`);
  return z
    .array(z.object({ pixel: z.number(), n: z.number() }))
    .parse(rows)
    .map(({ pixel, n }): [number, number] => [pixel, n]);
}

export async function readCounts(folder: string): Promise<Counts> {
  return countsSchema.parse(JSON.parse(await readFile(countsPath(folder), 'utf8')));
}

export function sumOf(byPart: Counts): readonly (readonly [number, number])[] {
  const sums = new Map<number, number>();
  for (const [pixel, n] of byPart.flat()) sums.set(pixel, (sums.get(pixel) ?? 0) + n);
  return [...sums].toSorted(([a], [b]) => a - b);
}

/** The parts with an object in this pixel. */
export function partsIn(byPart: Counts, { order, pixel }: Pixel): readonly number[] {
  const shrink = 4 ** (COUNT_ORDER - order);
  return byPart.flatMap((counts, part) =>
    counts.some(([counted]) => Math.floor(counted / shrink) === pixel) ? [part] : [],
  );
}
