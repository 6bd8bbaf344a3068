import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { InputError } from '#core/errors.ts';
import { partitionInfoFile } from '#core/hats/catalogue-files.ts';
import { coarsen, maxRowsOf, partitionSky } from '#core/hats/partition.ts';
import { parsePartitionInfo } from '#core/hats/partition-info.ts';
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

/** A division of the sky as another catalogue may have it: pixels below a few, each divided at random. */
const given = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.nat()), { maxLength: 12 })
  .map((wanted) => wanted.map(([order, pixel]) => ({ order, pixel: pixel % pixelCount(order) })))
  .map((pixels) =>
    pixels.filter(
      (one, index) =>
        !pixels.some((other, position) => {
          const [a, b] = [indexRange(one), indexRange(other)];
          return position !== index && a.from < b.to && b.from < a.to && (other.order < one.order || position < index);
        }),
    ),
  );

test('a threshold in megabytes is one in rows, by what the parts came to', () => {
  const parts = { rows: 1000, bytes: 620_000 };

  expect(maxRowsOf({ thresholdRows: 7 }, parts)).toBe(7);
  expect(maxRowsOf({ thresholdMegabytes: 1 }, parts)).toBe(1612);
  expect(maxRowsOf({ thresholdMegabytes: 0.0001 }, parts)).toBe(1);
});

test('given pixels are partitions as they are, and what lies outside gets its own, none over the limit', () => {
  fc.assert(
    fc.property(skies, given, ({ order, maxRows, counts }, pixels) => {
      fc.pre(order >= 2);
      const partitions = partitionSky(counts, { countOrder: order, maxRows, given: pixels });

      const within = ({ order: depth, pixel }: { order: number; pixel: number }) =>
        counts.reduce((sum, [at, n]) => (Math.floor(at / 4 ** (order - depth)) === pixel ? sum + n : sum), 0);
      const addresses = partitions.map((each) => `${each.order}/${each.pixel}`);
      for (const each of pixels) expect(addresses.includes(`${each.order}/${each.pixel}`)).toBe(within(each) > 0);
      const own = new Set(pixels.map((each) => `${each.order}/${each.pixel}`));
      for (const each of partitions) {
        expect(each.rows).toBe(within(each));
        if (!own.has(`${each.order}/${each.pixel}`)) expect(each.rows).toBeLessThanOrEqual(maxRows);
      }
      const ranges = partitions.map(indexRange);
      for (const [index, { to }] of ranges.slice(0, -1).entries()) {
        expect(to <= (ranges[index + 1]?.from ?? 0n)).toBe(true);
      }
      expect(partitions.reduce((sum, { rows }) => sum + rows, 0)).toBe(counts.reduce((sum, [, n]) => sum + n, 0));
    }),
  );
});

test('the partitions of a catalogue of ours, given back, are the same partitions', () => {
  fc.assert(
    fc.property(skies, ({ order, maxRows, minOrder, counts }) => {
      const first = partitionSky(counts, { countOrder: order, maxRows, minOrder });
      const csv = String(new TextDecoder().decode(partitionInfoFile(first).bytes));
      fc.pre(first.length > 0);

      expect(partitionSky(counts, { countOrder: order, maxRows: 1e9, given: parsePartitionInfo(csv, order) })).toEqual(
        first,
      );
    }),
  );
});

test.each([
  ['no columns', 'order,pixel\n1,2\n', /no columns Norder and Npix/],
  ['no line', 'Norder,Npix\n', /lists no partition/],
  ['a pixel that is none', 'Norder,Npix\n1,2\n1,48\n', /line 3, "1,48", is no pixel/],
  ['a text', 'Norder,Npix\n1,x\n', /line 2, "1,x", is no pixel/],
  ['too deep a pixel', 'Norder,Npix\n8,2\n', /line 2 is at order 8, beyond campaign.partition.highestOrder, 7/],
  ['a pixel in another', 'Norder,Npix\n2,17\n0,3\n1,4\n', /pixel 4 of order 1 and pixel 17 of order 2 overlap/],
  ['a pixel twice', 'Norder,Npix\n2,17\n2,17\n', /overlap/],
])('a list of partitions with %s is refused, by its line', (_what, csv, said) => {
  expect(() => parsePartitionInfo(csv, 7)).toThrow(InputError);
  expect(() => parsePartitionInfo(csv, 7)).toThrow(said);
});

test('the list of an older hats, with more columns, is read by its names', () => {
  expect(parsePartitionInfo('Norder,Dir,Npix,num_rows\r\n3,0,35,10\r\n1,0,0,7\r\n', 7)).toEqual([
    { order: 1, pixel: 0 },
    { order: 3, pixel: 35 },
  ]);
});
