import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';
import { PATCHES, patchedSky } from './patched-sky.ts';
import { buildCatalogue, type SyntheticCatalogue, writeParts } from './synthetic-catalogue.ts';

const ROWS = 6_000;
const MAX_ROWS = 900;

let folder: string;
let built: SyntheticCatalogue;

beforeAll(async () => {
  await prepareCheckers();
  folder = await mkdtemp(join(tmpdir(), 'ponte-parts-'));
  const parts = await writeParts(join(folder, 'parts'), ROWS, 2, { withPdfs: true, sky: patchedSky(PATCHES) });
  built = await buildCatalogue(join(folder, 'collection'), parts, MAX_ROWS);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a collection with all its parts', () => {
  test('passes our verifier', { timeout: 60_000 }, async () => {
    const report = await verifyCatalogue({ folder: built.folder, expectedRows: ROWS });

    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ sound: true, rows: ROWS });
  });

  test('agrees with brute force in LSDB: margin at poles and vertices, id search, the join with p(z)', {
    timeout: 120_000,
  }, async () => {
    const printed = await runChecker('test/lsdb/check_parts.py', built.folder);
    const answer: unknown = JSON.parse(printed.trim().split('\n').at(-1) ?? '');

    expect(answer).toMatchObject({
      agrees: true,
      strictly_valid: true,
      margin: { missing: 0, far: 0 },
      index: { asked: 40, found_same: true },
      posteriors: { rows: ROWS, unlike_estimates: 0, peaks_elsewhere: 0, algorithms: ['bpz', 'fzboost'] },
    });
  });
});
