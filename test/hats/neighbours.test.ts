import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { marginCells, marginOrder } from '#core/hats/margin.ts';
import { neighbours, pixelCentre, ringAround } from '#core/hats/neighbours.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';

const answerSchema = z.record(
  z.string(),
  z.object({ neighbours: z.array(z.array(z.int())), centres: z.array(z.tuple([z.number(), z.number()])) }),
);
const ORDERS = [0, 1, 2, 4];

let theirs: z.infer<typeof answerSchema>;

beforeAll(async () => {
  await prepareCheckers();
  const printed = await runChecker('test/python/healpix_neighbours.py', ...ORDERS.map(String));
  theirs = answerSchema.parse(JSON.parse(printed));
});

describe.each(ORDERS)('at order %i', (order) => {
  test('the neighbours of every pixel are those of cdshealpix', () => {
    const pixels = Array.from({ length: 12 * 4 ** order }, (_, pixel) => pixel);

    expect(pixels.map((pixel) => neighbours(order, pixel))).toEqual(theirs[order]?.neighbours);
  });

  test('the centre of every pixel is that of cdshealpix', () => {
    for (const [pixel, [ra, dec]] of theirs[order]?.centres.entries() ?? []) {
      const centre = pixelCentre(order, pixel);
      expect(Math.abs(((centre.ra - ra + 540) % 360) - 180)).toBeLessThan(1e-9);
      expect(centre.dec).toBeCloseTo(dec, 9);
    }
  });
});

test('the ring around a pixel is what touches any pixel inside it', () => {
  for (const pixel of [0, 4, 11, 17, 40]) {
    const inside = Array.from({ length: 64 }, (_, child) => pixel * 64 + child);
    const touching = new Set(inside.flatMap((child) => neighbours(4, child)));
    for (const child of inside) touching.delete(child);

    expect(ringAround(1, pixel, 4)).toEqual([...touching].sort((a, b) => a - b));
  }
});

test('a margin of 10 arcsec is made of cells of order 13, a wider one of wider cells', () => {
  expect(marginOrder(10)).toBe(13);
  expect(marginOrder(143)).toBe(10);
  expect(() => marginOrder(144)).toThrow(/too wide/);
  expect(marginCells({ order: 6, pixel: 1234 }, 10).cells).toHaveLength(4 * 128 + 4);
});
