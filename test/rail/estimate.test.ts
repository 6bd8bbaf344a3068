import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parquetRelation, withDatabase } from '#adapters/duckdb.ts';
import { sha256 } from '#core/digest.ts';
import {
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

/** More than one slice of 2000, and not a multiple of it. */
const ROWS = 4101;
const TRAINED_ON = { bpz: 100, fzboost: 400 };

let rail: Rail;
let part: string;

beforeAll(async () => {
  rail = await prepareRail('estimate');
  part = await makePart(rail, 'part.parquet', 1000, ROWS);
});

async function estimate(algorithm: string, model: string, folder: string, threads: number, pdf = true) {
  const units = [{ input: part, rows: ROWS }];
  const { path, task } = await makeTask({
    kind: 'estimate',
    algorithm,
    model,
    threads,
    units,
    archive: pdf,
    pdf,
    folder: join(rail.folder, folder),
  });
  const ended = await runWorker(rail, path);
  expect(ended.code, ended.stderr).toBe(0);
  return await readRecord(task);
}

/** A part's points with its estimates as one value. */
const points = (algorithm: string, record: Awaited<ReturnType<typeof estimate>>) =>
  `(SELECT objectId, ${algorithm}_flags AS flags, ${algorithm}_z_mode AS z_mode,
    row(*COLUMNS(c -> c NOT IN ('objectId', '${algorithm}_flags'))) AS estimates
    FROM ${parquetRelation([outputOf(record, 'points')])})`;

describe.each(['bpz', 'fzboost'] as const)('the estimate of %s', (algorithm) => {
  let model: string;
  let record: Awaited<ReturnType<typeof estimate>>;

  beforeAll(async () => {
    model = await trainModel(rail, algorithm, TRAINED_ON[algorithm]);
    record = await estimate(algorithm, model, `${algorithm}-once`, 1);
  });

  test('has the p(z) of a plain RAIL call on ten random objects, bit for bit', async () => {
    const schema = z.strictObject({
      sameIds: z.boolean(),
      sameGrid: z.boolean(),
      sameBits: z.boolean(),
      shape: z.array(z.int()),
      dtype: z.string(),
      largest: z.number(),
    });
    const found = await fixture(rail, z.array(schema), 'plain', algorithm, model, part, outputOf(record, 'pdf'));
    expect(found).toHaveLength(3);
    for (const sample of found) {
      expect(sample).toMatchObject({
        sameIds: true,
        sameGrid: true,
        sameBits: true,
        shape: [10, 301],
        dtype: 'float64',
      });
      expect(sample.largest).toBeGreaterThan(1);
    }
  });

  test('keeps the rows and their order, in both files', async () => {
    const expected = await fixture(rail, z.array(z.string()), 'ids', part);
    expect(expected).toHaveLength(ROWS);
    for (const name of ['points', 'pdf']) {
      expect(await fixture(rail, z.array(z.string()), 'ids', outputOf(record, name))).toEqual(expected);
    }
    expect(record.rows).toBe(ROWS);
  });

  test('gives the same bytes again, with two threads too', async () => {
    const again = await estimate(algorithm, model, `${algorithm}-again`, 2);
    expect(again.outputs.map(({ name, sha256 }) => [name, sha256])).toEqual(
      record.outputs.map(({ name, sha256 }) => [name, sha256]),
    );
    expect(again.outputs).toHaveLength(3);
  });

  test('leaves point estimates alone where p(z) is not wanted, and says so in the flags', async () => {
    const bare = await estimate(algorithm, model, `${algorithm}-bare`, 1, false);

    expect(bare.outputs.map(({ name, rows }) => [name, rows])).toEqual([
      ['points', ROWS],
      ['pdf', ROWS],
    ]);
    const compared = await withDatabase({ threads: 1 }, (database) =>
      database.rows(`SELECT count(*)::INTEGER AS n,
          count(*) FILTER (WHERE bare.estimates IS DISTINCT FROM whole.estimates)::INTEGER AS other,
          count(*) FILTER (WHERE bare.flags <> whole.flags + CASE WHEN whole.z_mode IS NULL THEN 0 ELSE 512 END)::INTEGER AS unsaid,
          (SELECT count(pz) + count(pz_peak) FROM ${parquetRelation([outputOf(bare, 'pdf')])})::INTEGER AS pdfs
        FROM ${points(algorithm, bare)} bare JOIN ${points(algorithm, record)} whole USING (objectId)`),
    );
    expect(compared).toEqual([{ n: ROWS, other: 0, unsaid: 0, pdfs: 0 }]);
  });

  test('says in its record what it left, what it cost and with which versions', async () => {
    for (const output of record.outputs) {
      const content = readFileSync(output.path);
      expect(output).toMatchObject({ sha256: sha256(content), sizeBytes: content.length, rows: ROWS });
    }
    const folder = join(outputOf(record, 'pdf'), '..');
    expect((await readdir(folder)).sort()).toEqual(['archive.hdf5', 'exit.json', 'pdf.parquet', 'points.parquet']);
    expect(record.outcome).toBe('succeeded');
    expect(record.seconds.compute).toBeGreaterThan(0);
    expect(record.seconds.wall).toBeGreaterThanOrEqual(record.seconds.import + record.seconds.compute);
    expect(record.cpuSeconds).toBeGreaterThan(0.5);
    expect(record.peakRssBytes).toBeGreaterThan(100e6);
    expect(record.versions).toMatchObject({ 'pz-rail-base': '2.0.11', numpy: expect.any(String) });
  });

  test('has the estimates that RAIL and qp compute from the same p(z)', async () => {
    const files = [outputOf(record, 'points'), outputOf(record, 'archive')];
    const largest = await fixture(rail, z.record(z.string(), z.number()), 'definitions', algorithm, ...files);
    expect(Object.keys(largest)).toHaveLength(8);
    // float32 near z = 3 has steps of 2.4e-7.
    for (const [name, difference] of Object.entries(largest)) expect(difference, name).toBeLessThan(5e-7);
  });
});
