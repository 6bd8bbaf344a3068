import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { firstOfTheirCode } from './damage.ts';
import { verifyMapped } from './mapped-verification.ts';
import { otherWording, PART_DAMAGES } from './parts-damage.ts';
import { patchedSky } from './patched-sky.ts';
import {
  buildCatalogue,
  CATALOGUE,
  FOLDERS,
  type SyntheticCatalogue,
  sealWhole,
  writeParts,
} from './synthetic-catalogue.ts';

let folder: string;
let intact: SyntheticCatalogue;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-parts-verify-'));
  const sky = patchedSky([[45, 66.44353569089877]]);
  const parts = await writeParts(join(folder, 'parts'), 1_200, 1, { withPdfs: true, sky });
  intact = await buildCatalogue(join(folder, 'intact'), parts, 700);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('an intact collection with margin, index and p(z) is sound', async () => {
  const report = await verifyCatalogue({ source: intact.folder, manifestSha256: intact.manifestSha256 });

  expect(report.findings).toEqual([]);
  expect(report.notes).toEqual([]);
});

test('a delivery of before is sound: of another wording, which the report says, and without thumbnails', async () => {
  const other = join(folder, 'other-wording');
  await cp(intact.folder, other, { recursive: true });
  for (const catalogue of [CATALOGUE, FOLDERS.posterior]) await rm(join(other, catalogue, 'data_thumbnail.parquet'));
  await sealWhole(other, { rows: intact.rows });
  await otherWording({ ...intact, folder: other });

  const report = await verifyCatalogue({ source: other });

  expect(report.findings).toEqual([]);
  expect(report.sound).toBe(true);
  expect(report.notes).toEqual([
    { where: 'packet.json', sentence: expect.stringMatching(/version 1, .* their sentences were not compared/) },
  ]);
});

describe('damage to margin, index and p(z) is found, and called by its name', () => {
  const inCampaign = firstOfTheirCode(PART_DAMAGES);
  test.each(PART_DAMAGES)('$name', async (one) => {
    const { damage, codes } = one;
    const damaged = join(folder, 'damaged');
    await rm(damaged, { recursive: true, force: true });
    await cp(intact.folder, damaged, { recursive: true });
    await damage({ ...intact, folder: damaged });

    const report = await verifyCatalogue({ source: damaged });

    expect([...new Set(report.findings.map(({ code }) => code))].sort()).toEqual([...codes].sort());
    for (const { sentence } of report.findings) expect(sentence).toMatch(/^.{20,300}\.$/s);
    if (!inCampaign.has(one)) return;
    const mapped = await verifyMapped(damaged, { rows: report.rows });
    expect(mapped.findings).toEqual(report.findings);
  });
});
