import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { sha256 } from '#core/digest.ts';
import {
  fixture,
  makePart,
  makeTask,
  prepareRail,
  type Rail,
  readRecord,
  registeredAlgorithms,
  runWorker,
  trainedModel,
} from './rail-worker.ts';

const ROWS = 40;
const OTHER = sha256('another content');

/** Each file, the rows that its task says it has, and what its record says; sound parts before and after. */
const PARTS: readonly (readonly [string, number, string | null, 'science' | 'infrastructure' | null])[] = [
  ['part.parquet', ROWS, null, null],
  ['missing.parquet', ROWS, 'INPUT_UNREADABLE', 'infrastructure'],
  ['truncated.parquet', ROWS, 'INPUT_UNREADABLE', 'science'],
  ['text.parquet', ROWS, 'INPUT_UNREADABLE', 'science'],
  ['no-bytes.parquet', ROWS, 'INPUT_UNREADABLE', 'science'],
  ['other-content.parquet', ROWS, 'INPUT_DIGEST_MISMATCH', 'infrastructure'],
  ['no-column.parquet', ROWS, 'INPUT_COLUMNS', 'science'],
  ['part.parquet', ROWS + 1, 'INPUT_ROWS', 'science'],
  ['no-rows.parquet', 0, 'INPUT_EMPTY', 'science'],
  ['part.parquet', ROWS, null, null],
];

const TRAINING_OR_MODEL = {
  'truncated training': 'TRAINING_UNREADABLE',
  'empty training file': 'TRAINING_UNREADABLE',
  'no Parquet training': 'TRAINING_UNREADABLE',
  'training without redshift': 'TRAINING_COLUMNS',
  'training without a band': 'TRAINING_COLUMNS',
  'training without rows': 'TRAINING_TOO_SMALL',
  'training of one row': 'TRAINING_TOO_SMALL',
  'training with repeated ids': 'TRAINING_DUPLICATE_IDS',
  'training without known redshifts': 'TRAINING_EMPTY',
  'training beyond the grid': 'TRAINING_EMPTY',
  'training without measurements': 'TRAINING_EMPTY',
  'truncated model': 'MODEL_UNUSABLE',
  'model cut at its end': 'MODEL_UNUSABLE',
  'no pickle': 'MODEL_UNUSABLE',
  'empty model': 'MODEL_UNUSABLE',
  'model of another algorithm': 'MODEL_UNUSABLE',
  'sound model': null,
};

let rail: Rail;
const models = new Map<string, string>();
let told: Record<string, Record<string, readonly [string, string, string] | null>>;

beforeAll(async () => {
  rail = await prepareRail('bad-files');
  const part = await makePart(rail, 'part.parquet', 0, ROWS);
  await fixture(rail, z.literal(true), 'damaged', part, rail.folder);
  for (const algorithm of registeredAlgorithms) models.set(algorithm, await trainedModel(rail, algorithm, 300));
  const schema = z.record(z.string(), z.record(z.string(), z.tuple([z.string(), z.string(), z.string()]).nullable()));
  const pairs = [...models].map(([name, path]) => `${name}=${path}`);
  told = await fixture(rail, schema, 'unusable', rail.demo.trainingPath, join(rail.folder, 'unusable'), ...pairs);
}, 600_000);

describe.each(registeredAlgorithms)('%s on bad files', (algorithm) => {
  test('each fails its part alone, in one warm task, and the parts around it are alike to the byte', {
    timeout: 60_000,
  }, async () => {
    const folder = join(rail.folder, `parts-${algorithm}`);
    const inThere = new Set(['missing.parquet', 'other-content.parquet']);
    const units = PARTS.map(([name, rows]) => ({
      input: join(rail.folder, inThere.has(name) ? 'part.parquet' : name),
      rows,
    }));
    const model = models.get(algorithm) ?? '';
    const { path, task } = await makeTask({ kind: 'estimate', algorithm, model, units, folder }, (sound) => ({
      ...sound,
      units: sound.units.map((unit, index) => {
        if (!unit.input) return unit;
        if (PARTS[index]?.[0] === 'missing.parquet') {
          return { ...unit, input: { ...unit.input, path: join(rail.folder, 'missing.parquet') } };
        }
        return PARTS[index]?.[0] === 'other-content.parquet'
          ? { ...unit, input: { ...unit.input, sha256: OTHER } }
          : unit;
      }),
    }));
    const ended = await runWorker(rail, path);
    expect(ended.code, ended.stderr).toBe(0);
    const records = await Promise.all(PARTS.map((_, index) => readRecord(task, index)));
    const found = records.map(({ error }) => [error?.code ?? null, error?.kind ?? null]);
    expect(found).toEqual(PARTS.map(([, , code, kind]) => [code, kind]));
    for (const [index, { error, outputs }] of records.entries()) {
      if (error)
        expect([outputs, error.message]).toEqual([[], expect.stringContaining(task.units[index]?.input?.path ?? '-')]);
    }
    const digests = (index: number) => records[index]?.outputs.map((output) => [output.name, output.sha256]);
    expect(digests(0)).toHaveLength(2);
    expect(digests(PARTS.length - 1)).toEqual(digests(0));
  });

  test('a bad training set and a bad model are called by their names', () => {
    const { 'training of three rows': few, ...others } = told[algorithm] ?? {};
    const codes = Object.fromEntries(Object.entries(others).map(([what, error]) => [what, error?.[0] ?? null]));
    expect(codes).toEqual(TRAINING_OR_MODEL);
    for (const error of Object.values(others)) expect(error?.[1] ?? 'science').toBe('science');
    expect(others['model of another algorithm']?.[2]).toMatch(/trained for .*Inform again/);
    // Codes that split, cross-validate or decompose what is left of so few cannot; the others make a model of them.
    expect([null, 'ALGORITHM_FAILED']).toContain(few?.[0] ?? null);
  });
});
