import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import {
  algorithmsFolder,
  fixture,
  makePart,
  makeTask,
  outputOf,
  prepareRail,
  type Rail,
  readRecord,
  runWorker,
  trainModel,
} from './rail-worker.ts';

const ROWS = 200;
const others = readdirSync(algorithmsFolder)
  .map((file) => file.replace('.json', ''))
  .filter((name) => !['bpz', 'fzboost'].includes(name));

let rail: Rail;
let part: string;

beforeAll(async () => {
  rail = await prepareRail('registered');
  part = await makePart(rail, 'part.parquet', 0, ROWS);
});

const rowsSchema = z.array(z.record(z.string(), z.union([z.number(), z.string(), z.null()])));

async function estimate(algorithm: string, model: string, folder: string) {
  const units = [{ input: part, rows: ROWS }];
  const { path, task } = await makeTask({
    kind: 'estimate',
    algorithm,
    model,
    units,
    folder: join(rail.folder, folder),
  });
  const ended = await runWorker(rail, path);
  expect(ended.code, ended.stderr).toBe(0);
  return await readRecord(task);
}

/** Two trainings and two estimates. */
const TIMEOUT_MS = 120_000;

test.each(others)('%s needs no more than its file: equal training gives equal estimates', {
  timeout: TIMEOUT_MS,
}, async (algorithm) => {
  // GPz pickles the time of day with its model, so models are compared by what they estimate.
  const first = await estimate(algorithm, await trainModel(rail, algorithm, 300), `${algorithm}-first`);
  const again = await estimate(algorithm, await trainModel(rail, algorithm, 300), `${algorithm}-again`);
  const digests = (record: typeof first) => record.outputs.map(({ name, sha256 }) => [name, sha256]);
  expect(digests(first)).toHaveLength(2);
  expect(digests(again)).toEqual(digests(first));

  const points = await fixture(rail, rowsSchema, 'points', outputOf(first, 'points'));
  expect(points).toHaveLength(ROWS);
  const modes = points.map((row) => Number(row[`${algorithm}_z_mode`])).filter((mode) => mode > 0 && mode < 3);
  expect(modes.length).toBeGreaterThan(ROWS * 0.9);
});
