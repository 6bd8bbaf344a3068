import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Evaluation, evaluationSchema } from '#core/evaluation.ts';
import { fixture, makeTask, outputOf, prepareRail, type Rail, readRecord, runWorker } from './rail-worker.ts';

const ROWS = 600;
/** FlexZBoost trains for some 10 s of CPU, and other work may share the cores. */
const TRAINING_TIMEOUT_MS = 120_000;
const splitSchema = z.strictObject({ heldOut: z.array(z.string()), kept: z.array(z.string()) });

const binnedSchema = z.record(
  z.string(),
  z.strictObject({ rows: z.int(), metrics: z.record(z.string(), z.number()).nullable() }),
);

const distributionSchema = z.strictObject({
  estimated: z.array(z.number()),
  spread: z.array(z.number()),
  l1: z.number(),
  mean: z.number(),
});
const summarizedSchema = z
  .object({
    naive_stack: distributionSchema,
    point_estimate_histogram: distributionSchema,
    var_inference: distributionSchema,
  })
  .catchall(z.strictObject({ rows: z.int(), meanTrue: z.number().nullable(), stack: distributionSchema.nullable() }));

/** The bins that hold an object, each named by what it bins and its lower edge. */
function occupied(name: string, { edges, rows, metrics }: NonNullable<Evaluation['bins']>['magnitude']) {
  return rows.flatMap((count, bin): [string, { rows: number; metrics: (typeof metrics)[number] }][] =>
    count === 0 ? [] : [[`${name} ${edges[bin]}`, { rows: count, metrics: metrics[bin] ?? null }]],
  );
}

let rail: Rail;
let training: string;
let shuffled: string;

beforeAll(async () => {
  rail = await prepareRail('inform');
  training = join(rail.folder, 'training.parquet');
  shuffled = join(rail.folder, 'shuffled.parquet');
  await fixture(rail, z.literal(true), 'head', rail.demo.trainingPath, training, String(ROWS));
  await fixture(rail, z.literal(true), 'shuffle', training, shuffled);
});

async function runTask(kind: 'inform' | 'validate', algorithm: string, folder: string, source: string, model?: string) {
  const { path, task } = await makeTask({
    kind,
    algorithm,
    folder: join(rail.folder, folder),
    training: source,
    ...(model ? { model } : {}),
  });
  const ended = await runWorker(rail, path);
  expect(ended.code, ended.stderr).toBe(0);
  return await readRecord(task);
}

test('the held-out share follows its documented rule and leaves the rest to inform', async () => {
  const { heldOut, kept } = await fixture(rail, splitSchema, 'split', training, '0.1', '42');
  expect(new Set([...heldOut, ...kept]).size).toBe(ROWS);
  const used = await fixture(rail, splitSchema, 'worker_split', training, '0.1', '42');
  expect(used).toEqual({ heldOut, kept });
  const other = await fixture(rail, splitSchema, 'worker_split', training, '0.1', '43');
  expect(other.heldOut).not.toEqual(heldOut);
});

describe.each(['bpz', 'fzboost'] as const)('inform and validate of %s', (algorithm) => {
  let model: string;
  let evaluation: Evaluation;

  beforeAll(async () => {
    const informed = await runTask('inform', algorithm, `${algorithm}-inform`, training);
    expect(informed.rows).toBe(ROWS * 0.9);
    model = outputOf(informed, 'model');
    const validated = await runTask('validate', algorithm, `${algorithm}-validate`, training, model);
    expect(validated.rows).toBe(ROWS * 0.1);
    evaluation = evaluationSchema.parse(JSON.parse(await readFile(outputOf(validated, 'evaluation'), 'utf8')));
  });

  test('do not depend on the order of the training set', { timeout: TRAINING_TIMEOUT_MS }, async () => {
    const informed = await runTask('inform', algorithm, `${algorithm}-inform-shuffled`, shuffled);
    expect(await readFile(outputOf(informed, 'model'))).toEqual(await readFile(model));
    const validated = await runTask('validate', algorithm, `${algorithm}-validate-shuffled`, shuffled, model);
    const again: unknown = JSON.parse(await readFile(outputOf(validated, 'evaluation'), 'utf8'));
    expect(again).toEqual(evaluation);
  });

  test("report the metrics of RAIL's own evaluators", async () => {
    const { heldOut } = await fixture(rail, splitSchema, 'split', training, '0.1', '42');
    const list = join(rail.folder, 'held-out.json');
    await writeFile(list, JSON.stringify(heldOut));
    const expected = await fixture(rail, z.record(z.string(), z.number()), 'metrics', algorithm, model, training, list);
    const { crps_mean: crps, ...exact } = expected;
    for (const [name, value] of Object.entries(exact)) {
      expect(evaluation.metrics, name).toHaveProperty(name, value);
    }
    // The brute force runs on steps of 1e-4 in redshift.
    expect(evaluation.metrics.crps_mean).toBeCloseTo(crps ?? Number.NaN, 4);
    expect(Object.keys(expected).sort()).toEqual(Object.keys(evaluation.metrics).sort());
  });

  test('report the same metrics per bin of magnitude and of redshift', { timeout: TRAINING_TIMEOUT_MS }, async () => {
    const { heldOut } = await fixture(rail, splitSchema, 'split', training, '0.1', '42');
    const list = join(rail.folder, 'held-out.json');
    await writeFile(list, JSON.stringify(heldOut));
    const expected = await fixture(rail, binnedSchema, 'binned', algorithm, model, training, list);
    const { magnitude, redshift } = evaluation.bins ?? expect.fail('no bins');
    const found = [...occupied('mag_i', magnitude), ...occupied('redshift', redshift)];
    expect(found.map(([key]) => key).sort()).toEqual(Object.keys(expected).sort());
    for (const name of ['mag_i', 'redshift']) {
      const full = found.filter(([key, { metrics }]) => key.startsWith(name) && metrics !== null);
      expect(full.length, `bins of ${name} with metrics`).toBeGreaterThan(0);
    }
    for (const [key, { rows, metrics }] of found) {
      expect(rows, key).toBe(expected[key]?.rows);
      if (metrics === null) expect(expected[key]?.metrics, key).toBeNull();
      else {
        const { crps_mean: crps, ...exact } = metrics;
        expect(expected[key]?.metrics, key).toMatchObject(exact);
        expect(crps, key).toBeCloseTo(expected[key]?.metrics?.crps_mean ?? Number.NaN, 4);
      }
    }
  });

  test("report redshift distributions as RAIL's own stages make them", { timeout: TRAINING_TIMEOUT_MS }, async () => {
    const { heldOut } = await fixture(rail, splitSchema, 'split', training, '0.1', '42');
    const list = join(rail.folder, 'held-out.json');
    await writeFile(list, JSON.stringify(heldOut));
    const expected = await fixture(rail, summarizedSchema, 'summarized', algorithm, model, training, list);
    const { summaries, tomography } = evaluation;
    if (!summaries || !tomography) expect.fail('no summaries');

    for (const name of ['naive_stack', 'point_estimate_histogram', 'var_inference'] as const) {
      const { mean, ...exact } = expected[name];
      const found = summaries.summarizers[name];
      expect(found, name).toMatchObject(exact);
      expect(found.mean, name).toBeCloseTo(mean, 3);
      expect(found.meanShift, name).toBe(found.mean - summaries.meanTrue);
    }
    for (const name of ['uniform', 'equal_count'] as const) {
      const { bins, rowsOutside } = tomography[name];
      expect(bins.reduce((total, { rows }) => total + rows, rowsOutside)).toBe(ROWS * 0.1);
      for (const [index, { rows, meanTrue, naive_stack: found }] of bins.entries()) {
        const { stack, ...rest } = expected[`${name} ${index}`] ?? expect.fail(`no ${name} ${index}`);
        expect({ rows, meanTrue }, `${name} ${index}`).toEqual(rest);
        if (stack === null) expect(found, `${name} ${index}`).toBeNull();
        else {
          const { mean, ...exact } = stack;
          expect(found, `${name} ${index}`).toMatchObject(exact);
          expect(found?.mean, `${name} ${index}`).toBeCloseTo(mean, 3);
        }
      }
    }
    expect(tomography.equal_count.bins.map(({ naive_stack }) => naive_stack === null)).not.toContain(true);
  });

  test('report histograms that a person can look at', () => {
    const { pit, nz, rows, rowsWithoutEstimate } = evaluation;
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    expect(rows).toBe(ROWS * 0.1);
    expect(rowsWithoutEstimate).toBe(0);
    expect(sum(pit.counts)).toBe(rows);
    expect(pit.edges).toHaveLength(pit.counts.length + 1);
    expect(sum(nz.true) + nz.trueOutside).toBe(rows);
    expect(sum(nz.estimated)).toBeCloseTo(rows, 0);
    expect(nz.edges).toHaveLength(31);
  });
});

test('the published JSON Schema is that of the code', async () => {
  const file = join(import.meta.dirname, '../../schemas/evaluation.schema.json');
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(z.toJSONSchema(evaluationSchema, { io: 'input' }));
});
