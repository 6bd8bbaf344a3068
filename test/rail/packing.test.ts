import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { fixture, prepareRail, type Rail } from './rail-worker.ts';

let rail: Rail;

beforeAll(async () => {
  rail = await prepareRail('packing');
}, 600_000);

const shapeSchema = z.strictObject({
  unlikeRule: z.int(),
  farther: z.int(),
  zerosLost: z.int(),
  peaksLost: z.int(),
  interval: z.number(),
  sameInSlices: z.boolean(),
  samePeaks: z.boolean(),
});

test('p(z) of any shape is rounded up or down, zeros and peaks stay, and no interval is off by a step', async () => {
  const found = await fixture(rail, z.record(z.string(), shapeSchema), 'packing');
  console.log(JSON.stringify(found));

  expect(Object.keys(found)).toHaveLength(8);
  for (const [shape, { interval, ...counts }] of Object.entries(found)) {
    expect(counts, shape).toEqual({
      ...{ unlikeRule: 0, farther: 0, zerosLost: 0, peaksLost: 0 },
      ...{ sameInSlices: true, samePeaks: true },
    });
    // Doubles add 301 differences to 1e-10.
    expect(interval, shape).toBeLessThan(1 + 1e-9);
  }
  // Most of a step is what carrying costs; nothing is carried where nothing is rounded.
  expect(found['long tails']?.interval).toBeGreaterThan(0.9);
  expect(found['whole bytes']?.interval).toBeLessThan(1e-9);
});

test('p(z) that is not to be packed leaves nothing, and its neighbours alone', async () => {
  const schema = z.strictObject({
    packed: z.array(z.boolean()),
    peaks: z.array(z.boolean()),
    sameOthers: z.boolean(),
    nothing: z.boolean(),
    noRows: z.boolean(),
  });
  const expected = [true, true, false, false, false, true, true];
  expect(await fixture(rail, schema, 'packing_leaves_out')).toEqual({
    packed: expected,
    peaks: expected,
    sameOthers: true,
    nothing: true,
    noRows: true,
  });
});

test('the mean of many packed p(z) is that of p(z), however their ids follow each other', async () => {
  const found = await fixture(rail, z.record(z.string(), z.number()), 'packing_is_even');
  console.log(JSON.stringify(found));

  const { 'at random': random = 1, ...ordered } = found;
  expect(Object.keys(ordered)).toHaveLength(5);
  // Points thrown at random are off by 1/2 sqrt(4096) at one sigma; multiples of the golden ratio, far less.
  expect(random).toBeLessThan(0.03);
  for (const [kind, off] of Object.entries(ordered)) expect(off, kind).toBeLessThan(0.01);
});
