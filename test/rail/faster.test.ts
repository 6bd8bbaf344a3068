import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '#local/process.ts';
import {
  fixture,
  makePart,
  makeTask,
  prepareRail,
  type Rail,
  readRecord,
  runWorker,
  trainModel,
} from './rail-worker.ts';

const script = join(import.meta.dirname, '..', '..', 'bench', 'estimate.py');
const foundSchema = z.looseObject({ rows: z.int(), equal: z.boolean() });
const TIMEOUT_MS = 120_000;

/** Whether the worker's arithmetic and RAIL's own agree on 500 objects, of which some are spoilt. */
async function compare(rail: Rail, algorithm: string, model: string, trainedOn: string) {
  const sound = await makePart(rail, 'sound.parquet', 0, 500);
  const [known, bad] = [join(rail.folder, 'known.parquet'), join(rail.folder, 'bad.parquet')];
  await fixture(rail, z.literal(true), 'among', trainedOn, sound, known);
  await fixture(rail, z.array(z.string()), 'spoil', known, bad);
  const output = await run([rail.python, '-W', 'ignore', script, algorithm, model, bad, '1'], { env: rail.env });
  return foundSchema.parse(JSON.parse(output));
}

test.each(['bpz', 'tpz', 'dnf'])('%s as the worker runs it gives the bits of RAIL, bad rows and all', {
  timeout: TIMEOUT_MS,
}, async (algorithm) => {
  const rail = await prepareRail(`faster-${algorithm}`);
  const model = await trainModel(rail, algorithm, 300);
  expect(await compare(rail, algorithm, model, rail.demo.trainingPath)).toMatchObject({ rows: 500, equal: true });
});

test.each([
  ['more objects than DNF looks at', 6000, false],
  ['every object twice, so that neighbours are equally near', 400, true],
])('DNF trained on %s gives the bits of RAIL', { timeout: TIMEOUT_MS }, async (_what, rows, twice) => {
  const rail = await prepareRail(`faster-dnf-${rows}`);
  const trainingPath = twice ? join(rail.folder, 'twice.parquet') : rail.demo.trainingPath;
  if (twice) await fixture(rail, z.literal(true), 'doubled', rail.demo.trainingPath, trainingPath);
  const model = await trainModel({ ...rail, demo: { ...rail.demo, trainingPath } }, 'dnf', rows);
  expect(await compare(rail, 'dnf', model, trainingPath)).toMatchObject({ rows: 500, equal: true });
});

test('DNF estimates alike on a node without wide vector instructions, whose sort is another one', {
  timeout: TIMEOUT_MS,
}, async () => {
  const rail = await prepareRail('faster-dnf-nodes');
  const units = [{ input: await makePart(rail, 'part.parquet', 0, 500), rows: 500 }];
  const model = await trainModel(rail, 'dnf', 6000);
  const digests = [];
  for (const NPY_DISABLE_CPU_FEATURES of ['', 'X86_V4 X86_V3 AVX512_SKX AVX2']) {
    const folder = join(rail.folder, `node-${digests.length}`);
    const { path, task } = await makeTask({ kind: 'estimate', algorithm: 'dnf', model, units, folder });
    const env = { ...rail.env, NPY_DISABLE_CPU_FEATURES };
    const ended = await runWorker({ ...rail, env }, path);
    expect(ended.code, ended.stderr).toBe(0);
    digests.push((await readRecord(task)).outputs.map(({ name, sha256 }) => [name, sha256]));
  }
  expect(digests[1]).toEqual(digests[0]);
});

test('quantiles of p(z) are those of qp to the bit', async () => {
  const rail = await prepareRail('faster-quantiles');
  const found = await fixture(rail, z.record(z.string(), z.boolean()), 'same_quantiles');
  expect(found).toEqual({ 'two peaks': true, 'one point': true, 'noise with gaps': true, flat: true });
});
