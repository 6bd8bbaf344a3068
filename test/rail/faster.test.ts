import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '#local/process.ts';
import { fixture, makePart, prepareRail, trainModel } from './rail-worker.ts';

const script = join(import.meta.dirname, '..', '..', 'bench', 'estimate.py');
const foundSchema = z.looseObject({ rows: z.int(), equal: z.boolean() });
const TIMEOUT_MS = 120_000;

test.each(['bpz', 'tpz'])('%s as the worker runs it gives the bits of RAIL, bad rows and all', {
  timeout: TIMEOUT_MS,
}, async (algorithm) => {
  const rail = await prepareRail(`faster-${algorithm}`);
  const sound = await makePart(rail, 'sound.parquet', 0, 500);
  const bad = join(rail.folder, 'bad.parquet');
  await fixture(rail, z.array(z.string()), 'spoil', sound, bad);
  const model = await trainModel(rail, algorithm, 300);
  const output = await run([rail.python, '-W', 'ignore', script, algorithm, model, bad, '1'], { env: rail.env });
  expect(foundSchema.parse(JSON.parse(output))).toMatchObject({ rows: 500, equal: true });
});
