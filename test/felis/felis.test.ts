import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { felisYaml } from '#core/hats/felis.ts';
import { run } from '#local/process.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

const repository = join(import.meta.dirname, '..', '..');
const shape = { coordinates: { ra: 'coord_ra', dec: 'coord_dec' }, algorithms: ['bpz', 'fzboost'], templates: ['bpz'] };
const facts = {
  schema: 'dp1_photoz',
  table: 'object_photoz',
  description: 'Photometric redshifts: "DP1", by bpz & fzboost',
  version: 'object_photoz-1f0c2d3e4a',
};

let python: string;
let folder: string;

beforeAll(async () => {
  const environment = await ensurePythonEnvironment({
    name: 'felis',
    lockFile: join(repository, 'test/python/felis-requirements.txt'),
    home: join(repository, '.ponte'),
    log: (line) => console.log(line),
  });
  python = environment.python;
  folder = await mkdtemp(join(tmpdir(), 'ponte-felis-'));
  await writeFile(join(folder, 'good.yaml'), felisYaml(facts, shape));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const felis = (...args: readonly string[]) => run([join(dirname(python), 'felis'), ...args]);
const CHECKS = [
  '--check-description',
  '--check-redundant-datatypes',
  '--check-tap-table-indexes',
  '--check-tap-principal',
] as const;

describe('the Felis schema', { timeout: 60_000 }, () => {
  test('passes felis with all its checks', async () => {
    await expect(felis('validate', ...CHECKS, join(folder, 'good.yaml'))).resolves.toBeDefined();
  });

  test.each([
    ['a UCD that is none', 'src.redshift.phot;stat.mean', 'phot.redshift'],
    ['a column without a type', 'datatype: int', 'datatype: integer32'],
    ['an empty description', /description: "Declination[^"]*"/, 'description: ""'],
  ])('would not pass with %s', async (_, from, to) => {
    const bad = join(folder, 'bad.yaml');
    const yaml = felisYaml(facts, shape);
    await writeFile(bad, yaml.replace(from, to));

    expect(yaml).not.toBe(yaml.replace(from, to));
    await expect(felis('validate', ...CHECKS, bad)).rejects.toThrow();
  });

  test('loads into TAP_SCHEMA, with every column, its UCD and its unit', async () => {
    const url = `sqlite:///${join(folder, 'tap.db')}`;
    await felis('init-tap-schema', `--engine-url=${url}`, '--tap-schema-name=main');
    await felis('load-tap-schema', `--engine-url=${url}`, '--tap-schema-name=main', join(folder, 'good.yaml'));

    const script =
      'import json,sqlite3,sys; print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))';
    const query =
      'SELECT column_name, datatype, unit, ucd, principal FROM columns WHERE table_name LIKE "%object_photoz" ORDER BY column_index';
    const rows = z
      .array(z.tuple([z.string(), z.string(), z.string().nullable(), z.string().nullable(), z.int()]))
      .parse(JSON.parse(await run([python, '-c', script, join(folder, 'tap.db'), query])));

    // The keys; of each algorithm the eight estimates, the odds and the flags; and BPZ's best template.
    expect(rows).toHaveLength(4 + 2 * 10 + 1);
    expect(rows[2]).toEqual(['coord_ra', 'double', 'deg', 'pos.eq.ra;meta.main', 1]);
    expect(rows.filter(([, , , , principal]) => principal === 1).map(([name]) => name)).toEqual([
      'objectId',
      'coord_ra',
      'coord_dec',
      'bpz_z_best',
      'fzboost_z_best',
    ]);
  });
});
