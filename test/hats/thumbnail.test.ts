import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { readThumbnail, thumbnailFile } from '#adapters/hats-thumbnail.ts';
import { photozColumns, posteriorColumns } from '#core/hats/columns.ts';
import type { ThumbnailRow } from '#core/hats/thumbnail.ts';
import { SHAPE } from './synthetic-catalogue.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-thumbnail-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const POINTS = photozColumns(SHAPE);
const POSTERIORS = posteriorColumns(SHAPE);
const FLOAT = ["'nan'", "'-inf'", '(-0e0)', '1e-45', '0.1e0', '3.4028235e38', 'NULL'];
const DOUBLE = ['(-0e0)', '5e-324', '0.1e0', '1.7976931348623157e308', "'nan'", '359.99999999999994e0', 'NULL'];
const LONG = ['9223372036854775807', '(-9223372036854775808)', '0', '1', '2', '3', 'NULL'];
const INT = ['2147483647', '(-1)', '0', '1', '2', '3', 'NULL'];
const BYTES = [
  "'\\x00\\xFF'::BLOB",
  "''::BLOB",
  "'\\x27\\x5C'::BLOB",
  "repeat('\\xFF'::BLOB, 301)",
  "'a'",
  "'b'",
  'NULL',
];
const HARD = { float: FLOAT, double: DOUBLE, long: LONG, int: INT, unsignedByte: BYTES };
const TYPES = { float: 'FLOAT', double: 'DOUBLE', long: 'BIGINT', int: 'INTEGER', unsignedByte: 'BLOB' };

/** A file with one hard value of each type in each row; `_healpix_29` is the number of the row. */
async function hardRows(database: Database, columns: typeof POINTS, path: string): Promise<void> {
  const rows = FLOAT.map((_, row) => {
    const values = columns.map(({ name, datatype }) => {
      const value = name === '_healpix_29' ? String(row) : HARD[datatype][row];
      return `${value}::${TYPES[datatype]} AS "${name}"`;
    });
    return `SELECT ${values.join(', ')}`;
  });
  await database.run(`COPY (${rows.join(' UNION ALL ')}) TO ${quoteLiteral(path)} (FORMAT parquet)`);
}

test.each([
  ['estimates', POINTS],
  ['p(z)', POSTERIORS],
])('a row of %s comes through its text to the bit', async (_, columns) => {
  const [source, copy] = [join(folder, 'source.parquet'), join(folder, 'copy.parquet')];
  await withDatabase({ threads: 1 }, async (database) => {
    await hardRows(database, columns, source);
    const rows = await readThumbnail(database, source, columns);
    const shown = rows.map((thumbnail, pixel) => ({ order: 10, pixel, thumbnail }));

    const file = await thumbnailFile(folder, columns, { keyValues: new Map([['key', "it's"]]) }, shown.toReversed());

    await writeFile(copy, file.bytes);
    // Through text once more, where -0 and 0 differ and NaN equals itself.
    expect(await readThumbnail(database, copy, columns)).toEqual(rows);
    const [found] = await database.rows(`SELECT count(*)::INTEGER AS n FROM (SELECT * FROM ${parquetRelation([source])}
      EXCEPT ALL SELECT * FROM ${parquetRelation([copy])})`);
    expect(found).toEqual({ n: 0 });
  });
  expect((await readdir(folder)).sort()).toEqual(['copy.parquet', 'source.parquet']);
});

test('any float is the one that its text says', async () => {
  await withDatabase({ threads: 1 }, async (database) => {
    const floats = fc.sample(fc.float({ noNaN: true }), { numRuns: 2_000, seed: 7 });
    const list = floats.map((value) =>
      Object.is(value, -0) ? '(-0e0)' : Number.isFinite(value) ? `${value.toExponential()}` : `'${value}'`,
    );

    const [found] = await database.rows(`SELECT count(*)::INTEGER AS n FROM
      (SELECT unnest([${list.map((text) => `${text}::FLOAT`).join(', ')}]) AS x) WHERE x::VARCHAR::FLOAT IS DISTINCT FROM x`);

    expect(found).toEqual({ n: 0 });
  });
});

test('more rows than one statement takes come in the order of the sky, once each', async () => {
  const thumbnail = (pixel: number): ThumbnailRow =>
    POINTS.map(({ name }) => (name === 'objectId' ? String(pixel) : '1'));
  const pixels = Array.from({ length: 250 }, (_, index) => (index * 97) % 250);
  const path = join(folder, 'many.parquet');

  const file = await thumbnailFile(
    folder,
    POINTS,
    { keyValues: new Map([['key', 'value']]) },
    pixels.map((pixel) => ({ order: 5, pixel, thumbnail: thumbnail(pixel) })),
  );

  await writeFile(path, file.bytes);
  const rows = await withDatabase({}, (database) => readThumbnail(database, path, POINTS));
  expect(rows.map(([, objectId]) => Number(objectId))).toEqual([...pixels].sort((a, b) => a - b));
});
