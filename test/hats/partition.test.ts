import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { InputError } from '#core/errors.ts';
import { coarsen, partitionSky } from '#core/hats/partition.ts';
import { indexRange, pixelCount } from '#core/healpix.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';

beforeAll(async () => {
  await prepareCheckers();
});

/** Skies with dense and empty places: pixels cluster around a few others. */
const skies = fc.integer({ min: 1, max: 5 }).chain((order) =>
  fc.record({
    order: fc.constant(order),
    maxRows: fc.integer({ min: 100, max: 2000 }),
    minOrder: fc.integer({ min: 0, max: order }),
    counts: fc
      .array(fc.tuple(fc.nat(pixelCount(order) - 1), fc.nat(8), fc.integer({ min: 0, max: 100 })), { maxLength: 150 })
      .map((found) => {
        const sums = new Map<number, number>();
        for (const [pixel, nearby, rows] of found) {
          sums.set(pixel, rows);
          sums.set(Math.min(pixel + nearby, pixelCount(order) - 1), rows);
        }
        return [...sums];
      }),
  }),
);

test('every counted row is in exactly one partition, and no partition is over the limit', () => {
  fc.assert(
    fc.property(skies, ({ order, maxRows, minOrder, counts }) => {
      const partitions = partitionSky(counts, { countOrder: order, maxRows, minOrder });

      const ranges = partitions.map(indexRange);
      for (const [index, { to }] of ranges.slice(0, -1).entries()) {
        expect(to <= (ranges[index + 1]?.from ?? 0n)).toBe(true);
      }
      for (const { order: depth, pixel, rows } of partitions) {
        const inside = counts.filter(([counted]) => Math.floor(counted / 4 ** (order - depth)) === pixel);
        expect(rows).toBe(inside.reduce((sum, [, n]) => sum + n, 0));
        expect(rows).toBeGreaterThan(0);
        expect(rows).toBeLessThanOrEqual(maxRows);
      }
      const total = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);
      expect(total(partitions.map(({ rows }) => rows))).toBe(total(counts.map(([, n]) => n)));
    }),
  );
});

test('the partitions are those of hats', async () => {
  // Prepare
  const cases = fc.sample(skies, { numRuns: 60, seed: 5 });
  const folder = await mkdtemp(join(tmpdir(), 'ponte-partitions-'));
  await writeFile(join(folder, 'cases.json'), JSON.stringify(cases));

  // Act
  const ours = cases.map(({ order, maxRows, minOrder, counts }) =>
    partitionSky(counts, { countOrder: order, maxRows, minOrder }).map((found) => [
      found.order,
      found.pixel,
      found.rows,
    ]),
  );
  const theirs: unknown = JSON.parse(await runChecker('test/python/hats_partitions.py', join(folder, 'cases.json')));
  await rm(folder, { recursive: true });

  // Assess
  expect(ours).toEqual(theirs);
});

test('a counted pixel that is too full is refused with the way out', () => {
  const attempt = () => partitionSky([[7, 101]], { countOrder: 3, maxRows: 100 });

  expect(attempt).toThrow(InputError);
  expect(attempt).toThrow(/pixel 7 at order 3 holds 101 rows/);
});

test('a pixel that does not exist is refused', () => {
  expect(() => partitionSky([[pixelCount(3), 1]], { countOrder: 3, maxRows: 100 })).toThrow(RangeError);
});

test('coarser counts keep the sum and the place', () => {
  const fine = [
    [0, 1],
    [3, 2],
    [4, 5],
    [767, 9],
  ] as const;

  expect(coarsen(fine, 1)).toEqual([
    [0, 3],
    [1, 5],
    [191, 9],
  ]);
});
