import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parquetRelation, quoteIdentifier, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { ancestor, healpix29Sql, indexRange, pixelCount } from '#core/healpix.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';

let folder: string;
beforeAll(async () => {
  await prepareCheckers();
  folder = await mkdtemp(join(tmpdir(), 'ponte-healpix-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const indexSql = (values: string) => healpix29Sql(`(VALUES ${values}) t("ra", "dec")`, 'ra', 'dec');

test('the index equals that of cdshealpix on a million random points and on poles, meridians and vertices', async () => {
  // Prepare
  const points = join(folder, 'points.parquet');
  const indexed = join(folder, 'indexed.parquet');
  await runChecker('test/python/healpix_points.py', 'make', points, '--random', '1000000');

  // Act
  await withDatabase({}, (database) =>
    database.run(
      `COPY (${healpix29Sql(parquetRelation([points]), 'ra', 'dec')}) TO ${quoteLiteral(indexed)} (FORMAT parquet)`,
    ),
  );

  // Assess
  const verdict: unknown = JSON.parse(await runChecker('test/python/healpix_points.py', 'judge', indexed));
  expect(verdict).toEqual({ points: 1_304_523, mismatches: 0, examples: [] });
}, 300_000);

test('coordinates that are missing, not finite or beyond the pole have no index', async () => {
  const values = "(NULL, 1e0), (1e0, NULL), ('nan', 1e0), (1e0, 'inf'), ('-inf', 1e0), (1e0, 90.00001), (1e0, -91e0)";

  const rows = await withDatabase({}, (database) => database.rows(indexSql(values)));

  expect(rows.map((row) => row._healpix_29)).toEqual(Array.from({ length: 7 }, () => null));
});

test('all columns of the relation come back, in order, then the index under the name asked for', async () => {
  const relation = '(SELECT 7 AS objectId, 10e0 AS "coord ""ra", 20e0 AS coord_dec, 1::BIGINT AS _healpix_29)';

  const [row] = await withDatabase({}, (database) =>
    database.rows(healpix29Sql(relation, 'coord "ra', 'coord_dec', { as: 'recomputed' })),
  );

  expect(Object.keys(row ?? {})).toEqual(['objectId', 'coord "ra', 'coord_dec', '_healpix_29', 'recomputed']);
  expect(row?._healpix_29).toBe(1n);
});

test('quoting holds for every text', async () => {
  await withDatabase({}, async (database) => {
    // A row is an object, to which DuckDB's reader cannot give a property of that one name.
    const texts = fc.string({ minLength: 1 }).filter((text) => !text.includes('\0') && text !== '__proto__');
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const [row] = await database.rows(`SELECT ${quoteLiteral(text)} AS ${quoteIdentifier(text)}`);
        expect(row).toEqual({ [text]: text });
      }),
      { numRuns: 50 },
    );
  });
});

const pixels = fc
  .integer({ min: 0, max: 20 })
  .chain((order) => fc.record({ order: fc.constant(order), pixel: fc.nat(pixelCount(order) - 1) }));

test('the ranges of the four children tile the range of their parent', () => {
  fc.assert(
    fc.property(pixels, ({ order, pixel }) => {
      const children = [0, 1, 2, 3].map((child) => ({ order: order + 1, pixel: 4 * pixel + child }));
      const ranges = children.map(indexRange);
      const parent = indexRange({ order, pixel });
      expect(ranges.map(({ from }) => from)).toEqual([parent.from, ...ranges.slice(0, 3).map(({ to }) => to)]);
      expect(ranges.at(-1)?.to).toBe(parent.to);
      for (const child of children) expect(ancestor(child, order)).toEqual({ order, pixel });
    }),
  );
});
