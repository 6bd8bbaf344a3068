import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MemoryTable } from '#adapters/memory-table.ts';
import { type Algorithm, algorithmSchema, configurationDigest, registeredNeeds } from '#core/algorithm.ts';
import { recordAncillary } from '#core/ancillary.ts';
import { canonicalJson, sha256 } from '#core/digest.ts';
import { run } from '#local/process.ts';
import { RAIL_FOLDER } from '#local/rail-environment.ts';
import { algorithmsFolder, prepareRail, type Rail, readAlgorithm } from './rail-worker.ts';

const registered = readdirSync(algorithmsFolder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.replace('.json', ''));

let rail: Rail;

beforeAll(async () => {
  rail = await prepareRail('algorithm');
});

const python = (program: string, ...args: string[]) => run([rail.python, '-c', program, ...args], { env: rail.env });

test('bpz and fzboost, as DP2 calls them, are registered', () => {
  expect(registered).toEqual(expect.arrayContaining(['bpz', 'fzboost']));
});

describe.each(registered)('the registered configuration of %s', (name) => {
  test('is valid and named after its file', () => {
    expect(readAlgorithm(name).name).toBe(name);
  });

  test('has the same digest in both languages', async () => {
    const program =
      'import sys; from ponte_rail.algorithm import read_algorithm; print(read_algorithm(sys.argv[1]).digest)';
    expect((await python(program, name)).trim()).toBe(configurationDigest(readAlgorithm(name)));
  });

  test('names packages with the versions of the lock', async () => {
    const lock = (await readFile(join(RAIL_FOLDER, 'requirements.txt'), 'utf8')).split('\n');
    for (const [name_, version] of Object.entries(readAlgorithm(name).packages)) {
      expect(lock).toContain(`${name_}==${version}`);
    }
  });
});

test('the digest changes with what changes a result, and with nothing else', () => {
  const bpz = readAlgorithm('bpz');
  const digest = configurationDigest(bpz);
  const { p_min: floor, ...others } = bpz.parameters;
  if (!floor) throw new Error('bpz has lost its p_min');
  const changed: Algorithm[] = [
    { ...bpz, parameters: { ...others, p_min: { ...floor, value: '0.006' } } },
    { ...bpz, parameters: others },
    { ...bpz, chunkSize: 1999 },
    { ...bpz, slicing: 'fixed' },
    { ...bpz, floatType: 'float64' },
    { ...bpz, bestTemplate: null },
    { ...bpz, bands: ['g', 'r', 'i', 'z', 'y'] },
    { ...bpz, grid: { ...bpz.grid, points: 300 } },
    { ...bpz, packages: { ...bpz.packages, 'desc-bpz': '0.4.1' } },
    { ...bpz, rail: { ...bpz.rail, estimator: 'OtherEstimator' } },
    { ...bpz, nonDetection: { ...bpz.nonDetection, limits: { ...bpz.nonDetection.limits, u: '27.8' } } },
  ];
  expect(new Set([digest, ...changed.map(configurationDigest)]).size).toBe(changed.length + 1);

  const prose: Algorithm = {
    ...bpz,
    version: 7,
    description: 'Other words.',
    resources: { ...bpz.resources, memoryMb: 1 },
    parameters: { ...others, p_min: { ...floor, meaning: 'Other words.' } },
    nonDetection: { ...bpz.nonDetection, meaning: 'Other words.' },
  };
  expect(configurationDigest(prose)).toBe(digest);
});

test('a number with a fraction is refused in both languages, as text it is not', async () => {
  const bpz = readAlgorithm('bpz');
  const p_min = { stages: ['estimate'], value: 0.005, meaning: 'A number.' };
  expect(algorithmSchema.safeParse({ ...bpz, parameters: { p_min } }).success).toBe(false);
  const program =
    'from ponte_rail.canonical import canonical_json\ntry: canonical_json({"a": [0.5]})\nexcept TypeError as e: print(e)';
  expect(await python(program)).toContain('write it as decimal text');
});

test('an algorithm that fits again on every slice is refused in both languages', async () => {
  const knn = readAlgorithm('knn');
  const network = { ...knn, name: 'network', rail: { ...knn.rail, module: 'rail.estimation.algos.sklearn_neurnet' } };
  expect(algorithmSchema.safeParse(network).success).toBe(false);
  expect(algorithmSchema.safeParse({ ...network, rail: knn.rail }).success).toBe(true);
  await writeFile(join(rail.folder, 'network.json'), JSON.stringify(network));
  const program =
    'import sys, pathlib\nfrom ponte_rail.algorithm import read_algorithm\n' +
    'try: read_algorithm("network", pathlib.Path(sys.argv[1]))\nexcept Exception as e: print(e.code, e.message)';
  expect(await python(program, rail.folder)).toMatch(/ALGORITHM_INVALID .*fits its scaler again on every slice/);
});

test('the ancillary files of an algorithm are registered, or it is refused with what to register', async () => {
  const table = new MemoryTable();
  const lephare = readAlgorithm('lephare');
  const [need] = lephare.ancillary;
  if (!need) throw new Error('lephare needs nothing');
  const content = need.sha256 ?? sha256('templates');
  const agreed: Algorithm = { ...lephare, ancillary: [{ ...need, sha256: content }] };

  expect(await registeredNeeds(table, readAlgorithm('bpz'))).toEqual([]);
  await expect(registeredNeeds(table, { ...lephare, ancillary: [{ ...need, sha256: null }] })).rejects.toMatchObject({
    code: 'ANCILLARY_UNKNOWN',
    hint: expect.stringContaining('lephare.json'),
  });
  await expect(registeredNeeds(table, agreed)).rejects.toMatchObject({
    code: 'ANCILLARY_UNKNOWN',
    message: expect.stringContaining('the algorithm lephare (lephare-data) needs the ancillary file'),
  });

  const object = { key: `ancillary/${content}.tar`, sha256: content, sizeBytes: 5 };
  const about = { title: 'T', source: 'S', licence: 'MIT', fileName: 'd.tar', registeredAt: '', registeredBy: 'ana' };
  await recordAncillary(table, { name: 'data', kind: 'templates', ...about, object });
  expect(await registeredNeeds(table, agreed)).toEqual([{ name: 'lephare-data', ...object }]);
  await expect(
    registeredNeeds(table, { ...lephare, ancillary: [{ ...need, kind: 'filters', sha256: content }] }),
  ).rejects.toMatchObject({ code: 'ANCILLARY_KIND' });
});

test('canonical JSON is one text in both languages', async () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'grapheme' }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ maxLength: 6 }), tie('value'), { maxKeys: 4 }),
    ),
  }));
  const canonicalSchema: z.ZodType<Parameters<typeof canonicalJson>[0]> = z.json();
  const values = fc.sample(value, 300).map((each) => canonicalSchema.parse(each));
  const hard = ['\u2028"\\\n\u0000\u001f\u007f/é✓😀', { b: 1, a: [], A: {}, '': -0 }, 9007199254740991];
  const all = [...values, ...hard];
  const path = join(rail.folder, 'values.json');
  await writeFile(path, JSON.stringify(all));
  const script =
    'import json, sys, hashlib\nfrom ponte_rail.canonical import canonical_json\n' +
    'for v in json.load(open(sys.argv[1])): print(hashlib.sha256(canonical_json(v).encode()).hexdigest())';
  const found = (await python(script, path)).trim().split('\n');
  expect(found).toEqual(all.map((each) => sha256(canonicalJson(each))));
});
