import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { fileDigest } from '#adapters/file-digest.ts';
import { sha256 } from '#core/digest.ts';
import type { WorkerTask } from '#core/job.ts';
import {
  fixture,
  lephareArchive,
  makePart,
  makeTask,
  outputOf,
  prepareRail,
  type Rail,
  readAlgorithm,
  readRecord,
  registeredAlgorithms,
  runWorker,
  trainedModel,
  trainModel,
  type Unit,
} from './rail-worker.ts';

/** Two of DNF's slices of 500 and a rest. */
const ROWS = 1203;
const TRAINED_ON = 300;
/** Two trainings, two estimates and a plain call, of which each starts RAIL. */
const TIMEOUT_MS = 240_000;
/** What LIneA's cluster has per core. That a part stays below what its algorithm asks for is held further down. */
const CORE_MEMORY_MB = 2_000;

/**
 * L1 of N(z). All objects of the control have one p(z), so that the errors of rounding add up instead of averaging out;
 * LePHARE's have long tails below half a step, 1/510 of the peak, which become zero.
 */
const LOST_BY_PACKING: Readonly<Record<string, number>> = { trainz: 2e-3, lephare: 7e-4 };

let rail: Rail;
let part: string;
let before: string;

beforeAll(async () => {
  rail = await prepareRail('registered');
  part = await makePart(rail, 'part.parquet', 0, ROWS);
  before = await makePart(rail, 'before.parquet', 5000, 3);
}, TIMEOUT_MS);

async function estimate(algorithm: string, model: string, folder: string, units: readonly Unit[], threads: number) {
  const options = { kind: 'estimate', algorithm, model, units, threads, archive: true } as const;
  const { path, task } = await makeTask({ ...options, folder: `${rail.folder}/${folder}` });
  const ended = await runWorker(rail, path);
  expect(ended.code, ended.stderr).toBe(0);
  return await readRecord(task, units.length - 1);
}

const comparisonSchema = z.strictObject({
  names: z.array(z.string()),
  different: z.array(z.string()),
  sameIds: z.boolean(),
  packed: z.int(),
  w1Median: z.number(),
  nzL1: z.number(),
  meanShift: z.number(),
});

test('the eight algorithms and the control are registered', () => {
  expect(registeredAlgorithms).toEqual(
    expect.arrayContaining(['bpz', 'cmnn', 'dnf', 'fzboost', 'gpz', 'knn', 'lephare', 'tpz', 'trainz']),
  );
});

test.each(registeredAlgorithms)('%s asks for less memory than a core of Apollo has', (algorithm) => {
  expect(readAlgorithm(algorithm).resources.memoryMb).toBeLessThan(CORE_MEMORY_MB);
});

describe.each(registeredAlgorithms)('%s needs no more than its file:', (algorithm) => {
  let model: string;
  let alone: Awaited<ReturnType<typeof estimate>>;

  beforeAll(async () => {
    model = await trainedModel(rail, algorithm, TRAINED_ON);
    alone = await estimate(algorithm, model, `${algorithm}-alone`, [{ input: part, rows: ROWS }], 1);
  }, TIMEOUT_MS);

  test('its p(z) are those of one plain RAIL call, bit for bit, and packing loses little', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const files = [model, part, outputOf(alone, 'archive'), outputOf(alone, 'pdf')];
    const found = await fixture(rail, comparisonSchema, 'archived', algorithm, ...files);
    console.log(algorithm, JSON.stringify(found));
    expect(found).toMatchObject({ different: [], sameIds: true });
    expect(found.names.length).toBeGreaterThan(2);
    expect(found.packed).toBeGreaterThan(ROWS * 0.9);
    expect(found.nzL1).toBeLessThan(LOST_BY_PACKING[algorithm] ?? 5e-4);
  });

  test('equal training, after another part and with two threads, gives equal bytes', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const second = await trainModel(rail, algorithm, TRAINED_ON);
    // GPz pickles the time of day with its model, so models are compared by what they estimate; LePHARE's also as bytes,
    // because Ponte takes time and place out of the library that it carries.
    if (algorithm === 'lephare') expect(await fileDigest(second)).toBe(await fileDigest(model));
    const units = [
      { input: before, rows: 3 },
      { input: part, rows: ROWS },
    ];
    const again = await estimate(algorithm, second, `${algorithm}-again`, units, 2);
    const digests = (record: typeof alone) => record.outputs.map(({ name, sha256 }) => [name, sha256]);
    expect(digests(again)).toEqual(digests(alone));
    expect(alone.outputs.map(({ name }) => name)).toEqual(['points', 'pdf', 'archive']);
    expect(alone.peakRssBytes / 2 ** 20).toBeLessThan(readAlgorithm(algorithm).resources.memoryMb);
  });
});

describe('the data that no package holds', () => {
  const informs = async (change: (task: WorkerTask) => WorkerTask) => {
    const folder = `${rail.folder}/refused`;
    await rm(folder, { recursive: true, force: true });
    const training = rail.demo.trainingPath;
    const { path } = await makeTask({ kind: 'inform', algorithm: 'lephare', folder, training }, change);
    const ended = await runWorker(rail, path);
    const finished = ended.events.find(({ event }) => event === 'unit-finished');
    return { code: ended.code, finished };
  };
  const brought = (change: Partial<WorkerTask['ancillary'][number]>) => (task: WorkerTask) => ({
    ...task,
    ancillary: task.ancillary.map((file) => ({ ...file, ...change })),
  });

  test('are needed, and named with what to do', async () => {
    const { code, finished } = await informs((task) => ({ ...task, ancillary: [] }));
    expect(code).toBe(2);
    expect(finished).toMatchObject({ outcome: 'failed', error: { code: 'ANCILLARY_MISSING' } });
    expect(JSON.stringify(finished)).toContain('ponte ancillary register');
  });

  test('are those that the configuration names', async () => {
    const { code, finished } = await informs(brought({ sha256: sha256('other data') }));
    expect(code).toBe(2);
    expect(finished).toMatchObject({ outcome: 'failed', error: { code: 'ANCILLARY_MISMATCH' } });
  });

  test('are what their digest says', async () => {
    const { path } = await lephareArchive();
    const spoilt = join(rail.folder, 'spoilt.tar');
    const content = await readFile(path);
    await writeFile(spoilt, content.fill(content.readUInt8(5000) ^ 1, 5000, 5001));
    const { code, finished } = await informs(brought({ path: spoilt }));
    expect(code).toBe(3);
    expect(finished).toMatchObject({ error: { code: 'ANCILLARY_DIGEST_MISMATCH', kind: 'infrastructure' } });
    expect(await informs(brought({ path: join(rail.folder, 'nowhere.tar') }))).toMatchObject({
      code: 3,
      finished: { error: { code: 'ANCILLARY_UNREADABLE' } },
    });
  });
});
