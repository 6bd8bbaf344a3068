import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { algorithmSchema, configurationDigest } from '#core/algorithm.ts';
import type { WorkerTask } from '#core/job.ts';
import {
  fixture,
  makePart,
  makeTask,
  prepareRail,
  type Rail,
  readAlgorithm,
  readRecord,
  runWorker,
  trainModel,
  type Unit,
} from './rail-worker.ts';

const ROWS = 700;
/** picky.py stops at what is brighter. */
const BRIGHTEST = 17.5;

/** BPZ under another name, whose estimator stops at bright objects. */
const bpz = readAlgorithm('bpz');
const picky = algorithmSchema.parse({
  ...bpz,
  name: 'picky',
  rail: { ...bpz.rail, module: 'rail.estimation.algos.picky', estimator: 'PickyEstimator' },
});

const asPicky = (task: WorkerTask): WorkerTask => ({
  ...task,
  algorithm: 'picky',
  configurationDigest: configurationDigest(picky),
});

let rail: Rail;
let model: string;
let units: Unit[];
let algorithms: string;

beforeAll(async () => {
  const prepared = await prepareRail('bisection');
  const pythonPath = `${prepared.env.PYTHONPATH}:${join(import.meta.dirname, 'picky')}`;
  rail = { ...prepared, env: { ...prepared.env, PYTHONPATH: pythonPath } };
  algorithms = join(rail.folder, 'algorithms');
  await mkdir(algorithms, { recursive: true });
  await writeFile(join(algorithms, 'picky.json'), JSON.stringify(picky));
  model = await trainModel(rail, 'bpz', 100, { change: asPicky, options: ['--algorithms', algorithms] });
  units = await Promise.all(
    [0, 1, 2].map(async (index) => ({
      input: await makePart(rail, `part-${index}.parquet`, index * ROWS, ROWS),
      rows: ROWS,
    })),
  );
});

const rowsSchema = z.array(z.object({ objectId: z.string(), mag_i: z.number().nullable() }));

async function tooBright(unit: Unit): Promise<readonly string[]> {
  const rows = await fixture(rail, rowsSchema, 'magnitudes', unit.input ?? '');
  return rows.flatMap(({ objectId, mag_i }, row) =>
    mag_i !== null && mag_i < BRIGHTEST ? [`row ${row} (objectId ${objectId})`] : [],
  );
}

async function estimate(bisect: boolean) {
  const folder = join(rail.folder, bisect ? 'asked' : 'not-asked');
  const { path, task } = await makeTask({ kind: 'estimate', algorithm: 'bpz', model, units, folder }, (sound) => ({
    ...asPicky(sound),
    bisect,
  }));
  const ended = await runWorker(rail, path, undefined, ['--algorithms', algorithms]);
  expect(ended.code, ended.stderr).toBe(0);
  return Promise.all(units.map((_, index) => readRecord(task, index)));
}

test('a part that the algorithm fails is searched for its rows when asked, and the other parts succeed', async () => {
  const bright = await Promise.all(units.map(tooBright));
  // Parts with and without such rows, or this shows nothing.
  expect(new Set(bright.map(({ length }) => length > 0)).size).toBe(2);

  const [silent, asked] = [await estimate(false), await estimate(true)];
  for (const [index, rows] of bright.entries()) {
    const outcome = rows.length > 0 ? 'failed' : 'succeeded';
    expect([silent[index]?.outcome, asked[index]?.outcome]).toEqual([outcome, outcome]);
    if (rows.length === 0) continue;
    expect(silent[index]?.error).toMatchObject({ code: 'ALGORITHM_FAILED', kind: 'science' });
    expect(silent[index]?.error?.message).not.toContain('objectId');
    const message = asked[index]?.error?.message ?? '';
    expect(asked[index]?.error).toMatchObject({ code: 'ALGORITHM_FAILED', kind: 'science' });
    expect(message).toContain('an object is too bright');
    expect(message).toContain(`It fails because of ${rows.length} of its ${ROWS} rows: ${rows.join('; ')}.`);
  }
}, 120_000);

test('the search halves what fails, keeps what only fails together, and stops when its time is over', async () => {
  const schema = z.record(z.string(), z.tuple([z.array(z.tuple([z.number(), z.number()])), z.boolean()]));
  expect(await fixture(rail, schema, 'bisected')).toEqual({
    'none of one row': [[[0, 1]], true],
    'first, middle and last': [
      [
        [0, 1],
        [41, 42],
        [99, 100],
      ],
      true,
    ],
    'two that fail together': [[[0, 100]], true],
    'no time': [[[0, 100]], false],
  });
});
