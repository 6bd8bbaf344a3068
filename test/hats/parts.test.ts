import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';
import { buildCatalogue, type Sky, type SyntheticCatalogue, uniform, writeParts } from './synthetic-catalogue.ts';

const ROWS = 8_000;
const MAX_ROWS = 900;

/**
 * Patches of 3 arcmin where tiles meet: both poles, a corner of three base cells, a corner in the belt, the seam of
 * two quadrants beyond 60 degrees, a tile's vertex at |dec| > 60, 0/360 degrees, and a place of no distinction.
 */
const PATCHES = [
  [12, 89.999],
  [200, -89.999],
  [0, 41.81031489577862],
  [45, 0],
  [90, 72.5],
  [45, 66.44353569089877],
  [0, -19.47122063449069],
  [53.1, -28.1],
] as const;

/** Even in the patch: the distance from its middle as the square root of a uniform number. */
function patchedSky(): Sky {
  const pick = (index: 0 | 1) => `[${PATCHES.map((patch) => `${patch[index]}e0`).join(', ')}][1 + i % ${PATCHES.length}]`;
  const radius = `(0.05e0 * sqrt(${uniform(1)}))`;
  const bearing = `(2 * pi() * ${uniform(2)})`;
  const sinDec = `(sin(radians(${pick(1)})) * cos(radians(${radius}))
    + cos(radians(${pick(1)})) * sin(radians(${radius})) * cos(${bearing}))`;
  const turn = `degrees(atan2(sin(${bearing}) * sin(radians(${radius})) * cos(radians(${pick(1)})),
    cos(radians(${radius})) - sin(radians(${pick(1)})) * ${sinDec}))`;
  return { ra: `((${pick(0)} + ${turn} + 360) % 360)`, dec: `degrees(asin(${sinDec}))` };
}

let folder: string;
let built: SyntheticCatalogue;

beforeAll(async () => {
  await prepareCheckers();
  folder = await mkdtemp(join(tmpdir(), 'ponte-parts-'));
  const parts = await writeParts(join(folder, 'parts'), ROWS, 2, { withPdfs: true, sky: patchedSky() });
  built = await buildCatalogue(join(folder, 'collection'), parts, MAX_ROWS);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a collection with all its parts', () => {
  test('passes our verifier', async () => {
    const report = await verifyCatalogue({ folder: built.folder, expectedRows: ROWS });

    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ sound: true, rows: ROWS });
  });

  test('agrees with brute force in LSDB: margin at poles and vertices, id search, the join with p(z)', async () => {
    const printed = await runChecker('test/lsdb/check_parts.py', built.folder);
    const answer: unknown = JSON.parse(printed.trim().split('\n').at(-1) ?? '');
    console.log(JSON.stringify(answer), built.leaves.length);

    expect(answer).toMatchObject({
      agrees: true,
      strictly_valid: true,
      margin: { missing: 0, far: 0 },
      index: { asked: 40, found_same: true },
      posteriors: { rows: ROWS, unlike_estimates: 0, peaks_elsewhere: 0, algorithms: ['bpz', 'fzboost'] },
    });
  });
});
