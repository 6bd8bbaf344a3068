import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
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
import { type Threads, watchThreads } from './running-threads.ts';

const ROWS = 3000;
const TRAINED_ON = 300;
const TIMEOUT_MS = 240_000;

let rail: Rail;
let training: string;
let part: string;

beforeAll(async () => {
  rail = await prepareRail('threads');
  training = join(rail.folder, 'training.parquet');
  await fixture(rail, z.literal(true), 'head', rail.demo.trainingPath, training, String(TRAINED_ON));
  part = await makePart(rail, 'part.parquet', 0, ROWS);
});

type Task = Awaited<ReturnType<typeof makeTask>>;

/** Runs a task and counts the threads from its first unit on, that is, without the imports. */
async function watched({
  path,
  task,
}: Task): Promise<{ threads: Threads; record: Awaited<ReturnType<typeof readRecord>> }> {
  let watch: ReturnType<typeof watchThreads> | undefined;
  const ended = await runWorker(rail, path, ({ event }, pid) => {
    if (event === 'unit-started') watch ??= watchThreads([pid]);
  });
  const threads = watch?.stop();
  expect(ended.code, ended.stderr).toBe(0);
  if (!threads) throw new Error('no unit was started');
  return { threads, record: await readRecord(task) };
}

/** Trains and estimates with one algorithm and so many threads. */
async function both(algorithm: string, threads: number) {
  const folder = (kind: string) => join(rail.folder, `${algorithm}-${kind}-${threads}`);
  // LePHARE's library takes more than a minute: the one that other tests use is taken, and its training not watched.
  const isLong = algorithm === 'lephare';
  const inform = isLong
    ? null
    : await watched(await makeTask({ kind: 'inform', algorithm, training, threads, folder: folder('inform') }));
  const model = inform ? outputOf(inform.record, 'model') : await trainedModel(rail, algorithm, TRAINED_ON);
  const units = [{ input: part, rows: ROWS }];
  const estimate = await watched(
    await makeTask({ kind: 'estimate', algorithm, model, units, threads, folder: folder('estimate') }),
  );
  return { ...(inform ? { inform: inform.threads } : {}), estimate: estimate.threads };
}

test.each(registeredAlgorithms)('%s with one thread has one, in training and in estimating', {
  timeout: TIMEOUT_MS,
}, async (algorithm) => {
  const found = await both(algorithm, 1);
  console.log(algorithm, JSON.stringify(found));
  for (const { running, children, looks } of Object.values(found)) {
    expect(looks).toBeGreaterThan(3);
    expect({ running, children }).toEqual({ running: 1, children: 1 });
  }
});

test('the count sees the threads of OpenMP where a task has two', { timeout: TIMEOUT_MS }, async () => {
  const found = await both('fzboost', 2);
  console.log(JSON.stringify(found));
  expect(found.inform?.running).toBe(1); // it gives XGBoost to joblib, which has one process
  expect(found.estimate).toMatchObject({ most: 2, children: 1 });
});
