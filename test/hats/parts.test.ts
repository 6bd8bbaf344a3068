import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { prepareCheckers, runChecker, runCheckerOf } from '#test/python/checkers.ts';
import { PATCHES, patchedSky } from './patched-sky.ts';
import { buildCatalogue, type SyntheticCatalogue, writeParts } from './synthetic-catalogue.ts';

const ROWS = 6_000;
const MAX_ROWS = 900;
const NOTEBOOK = join(import.meta.dirname, '../../docs/astronomer.ipynb');

let folder: string;
let built: SyntheticCatalogue;

beforeAll(async () => {
  await prepareCheckers();
  await prepareCheckers('outside-older');
  folder = await mkdtemp(join(tmpdir(), 'ponte-parts-'));
  const parts = await writeParts(join(folder, 'parts'), ROWS, 2, { withPdfs: true, sky: patchedSky(PATCHES) });
  built = await buildCatalogue(join(folder, 'collection'), parts, MAX_ROWS);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a collection with all its parts', () => {
  test('passes our verifier', { timeout: 60_000 }, async () => {
    const report = await verifyCatalogue({ source: built.folder, expectedRows: ROWS });

    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ sound: true, rows: ROWS });
  });

  // It passes over extensions, which are newer, so p(z) is joined as any catalogue.
  test('opens as a whole in an older LSDB, which agrees with brute force as well', { timeout: 120_000 }, async () => {
    const printed = await runCheckerOf('outside-older', 'test/lsdb/check_parts.py', built.folder);

    expect(lastLine(printed)).toMatchObject({ lsdb: '0.11.0', extensions: false, ...agreement() });
  });

  test('runs through every cell of the notebook for astronomers, which find what brute force finds', {
    timeout: 120_000,
  }, async () => {
    const printed = await runChecker('test/lsdb/run_notebook.py', NOTEBOOK, built.folder);

    expect(lastLine(printed)).toMatchObject({
      agrees: true,
      cells: 6,
      objects: 300,
      cone_same: true,
      good_same: true,
      joined_same: true,
      stacked_same: true,
    });
  });

  test('agrees with brute force in LSDB: margin at poles and vertices, id search, the join with p(z)', {
    timeout: 120_000,
  }, async () => {
    const printed = await runChecker('test/lsdb/check_parts.py', built.folder);

    expect(lastLine(printed)).toMatchObject({ lsdb: '0.11.1', extensions: true, ...agreement() });
  });
});

const agreement = () => ({
  agrees: true,
  strictly_valid: true,
  margin: { missing: 0, far: 0 },
  index: { asked: 40, found_same: true },
  thumbnail: { rows: built.leaves.length, same_as_hats: true },
  posteriors: { rows: ROWS, unlike_estimates: 0, peaks_elsewhere: 0, algorithms: ['bpz', 'fzboost'] },
});

const lastLine = (printed: string): unknown => JSON.parse(printed.trim().split('\n').at(-1) ?? '');
