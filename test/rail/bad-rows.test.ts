import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  fixture,
  makePart,
  makeTask,
  outputOf,
  prepareRail,
  type Rail,
  readRecord,
  registeredAlgorithms,
  runWorker,
  trainedModel,
} from './rail-worker.ts';

const ROWS = 40;

/** The bits of `{algorithm}_flags` (bridge-agent/rail/ponte_rail/photometry.py). */
const BAND_NOT_DETECTED = 1;
const BAD_VALUE = 2;
const NOTHING_DETECTED = 16;
const REFERENCE_BAND_NOT_DETECTED = 32;
/** Set by what p(z) looks like, which these tests do not decide. */
const SEEN_IN_PDF = 4 | 8 | 128 | 256;
const OUTSIDE_TRAINING = 64;

const EXPECTED = {
  none: 0,
  'null u': BAND_NOT_DETECTED,
  'nan r': BAD_VALUE,
  'inf g': BAD_VALUE,
  'negative z': BAD_VALUE,
  'sentinel y': BAD_VALUE,
  'null error': BAD_VALUE,
  'zero error': BAD_VALUE,
  'negative error': BAD_VALUE,
  'infinite error': BAD_VALUE,
  'null i': BAND_NOT_DETECTED | REFERENCE_BAND_NOT_DETECTED,
  'all null': BAND_NOT_DETECTED | NOTHING_DETECTED | REFERENCE_BAND_NOT_DETECTED,
  'all nan': BAD_VALUE | NOTHING_DETECTED | REFERENCE_BAND_NOT_DETECTED,
  'all inf': BAD_VALUE | NOTHING_DETECTED | REFERENCE_BAND_NOT_DETECTED,
  'all negative': BAD_VALUE | NOTHING_DETECTED | REFERENCE_BAND_NOT_DETECTED,
  'absurdly bright': OUTSIDE_TRAINING,
};

let rail: Rail;
let good: string;
let spoilt: string;
let kinds: string[];

beforeAll(async () => {
  rail = await prepareRail('bad-rows');
  good = await makePart(rail, 'good.parquet', 300, ROWS);
  spoilt = join(rail.folder, 'spoilt.parquet');
  kinds = await fixture(rail, z.array(z.string()), 'spoil', good, spoilt);
});

const rowsSchema = z.array(z.record(z.string(), z.union([z.number(), z.string(), z.null()])));

/** Points of both files, from one task of two units. */
async function estimatePoints(algorithm: string, model: string) {
  const units = [good, spoilt].map((input) => ({ input, rows: ROWS }));
  const folder = join(rail.folder, algorithm);
  const { path, task } = await makeTask({ kind: 'estimate', algorithm, model, units, folder });
  const ended = await runWorker(rail, path);
  expect(ended.code, ended.stderr).toBe(0);
  const points = async (unit: number) =>
    await fixture(rail, rowsSchema, 'points', outputOf(await readRecord(task, unit), 'points'));
  return { clean: await points(0), found: await points(1) };
}

describe.each(registeredAlgorithms)('%s on bad values', (algorithm) => {
  let clean: z.infer<typeof rowsSchema>;
  let found: z.infer<typeof rowsSchema>;

  beforeAll(async () => {
    const model = await trainedModel(rail, algorithm, 300);
    ({ clean, found } = await estimatePoints(algorithm, model));
  }, 240_000);

  const estimatesOf = (row: z.infer<typeof rowsSchema>[number] | undefined) =>
    Object.entries(row ?? {})
      .filter(([name]) => name.startsWith(`${algorithm}_z_`))
      .map(([, value]) => value);

  test('marks every kind of bad value with its flag', () => {
    const flags = kinds.map((kind, row) => [kind, Number(found[row]?.[`${algorithm}_flags`]) & ~SEEN_IN_PDF]);
    expect(Object.fromEntries(flags)).toEqual(EXPECTED);
  });

  test('gives no estimate, rather than a zero, to an object without any measurement', () => {
    for (const [row, kind] of kinds.entries()) {
      const estimates = estimatesOf(found[row]);
      expect(estimates, kind).toHaveLength(8);
      if (kind.startsWith('all ')) expect(estimates, kind).toEqual(Array(8).fill(null));
      else if (Number(found[row]?.[`${algorithm}_flags`]) & 4) expect(estimates, kind).toEqual(Array(8).fill(null));
      else expect(estimates.every(Number.isFinite), kind).toBe(true);
    }
  });

  test('leaves the other rows as they were', () => {
    expect(found.slice(kinds.length)).toEqual(clean.slice(kinds.length));
    expect(found[0]).toEqual(clean[0]);
    expect(found).toHaveLength(ROWS);
  });
});

test('a p(z) that is not finite, negative or zero everywhere has no estimates', async () => {
  const schema = z.strictObject({ flags: z.array(z.int()), estimates: z.array(z.array(z.number().nullable())) });
  const { flags, estimates } = await fixture(rail, schema, 'summaries');
  expect(flags).toEqual([4, 4, 4, 8 | 128, 128]);
  expect(estimates.slice(0, 3)).toEqual(Array(3).fill(Array(9).fill(null)));
  expect(estimates.slice(3).flat().every(Number.isFinite)).toBe(true);
});
