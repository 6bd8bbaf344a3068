import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { repeatedIdsSql } from '#core/hats/leaf-check.ts';
import { FINDING_CODES } from '#core/hats/verdict.ts';
import { DAMAGES } from './damage.ts';
import { PART_DAMAGES } from './parts-damage.ts';
import { buildCatalogue, type SyntheticCatalogue, writeParts } from './synthetic-catalogue.ts';

let folder: string;
let intact: SyntheticCatalogue;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-verify-'));
  intact = await buildCatalogue(join(folder, 'intact'), await writeParts(join(folder, 'parts'), 6_000, 2), 1_500);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const recorded = () => ({ expectedRows: intact.rows, manifestSha256: intact.manifestSha256 });

test('an intact collection is sound, also without what the delivery recorded', async () => {
  const withRecord = await verifyCatalogue({ folder: intact.folder, ...recorded() });
  const without = await verifyCatalogue({ folder: intact.folder });

  expect(withRecord.findings).toEqual([]);
  expect(withRecord.sound).toBe(true);
  expect(without).toEqual(withRecord);
});

describe('each kind of damage is found, and called by its name', () => {
  test.each(DAMAGES)('$name', async ({ damage, codes, knowsRecord }) => {
    const damaged = join(folder, 'damaged');
    await rm(damaged, { recursive: true, force: true });
    await cp(intact.folder, damaged, { recursive: true });
    await damage({ ...intact, folder: damaged });

    const report = await verifyCatalogue({ folder: damaged, ...(knowsRecord ? recorded() : {}) });

    expect([...new Set(report.findings.map(({ code }) => code))].sort()).toEqual([...codes].sort());
    expect(report.sound).toBe(false);
    for (const { sentence } of report.findings) expect(sentence).toMatch(/^.{20,300}\.$/s);
  });
});

test('an id that occurs twice is found whatever the number of passes', async () => {
  const path = join(folder, 'ids.parquet');
  const repeated = await withDatabase({}, async (database) => {
    const ids = 'SELECT i::BIGINT AS objectId FROM range(10000) r(i) UNION ALL SELECT 77 UNION ALL SELECT 9999';
    await database.run(`COPY (${ids}) TO ${quoteLiteral(path)} (FORMAT parquet)`);
    const passes = [0, 1, 2, 3].map((pass) => database.rows(repeatedIdsSql([path], pass, 4)));
    return (await Promise.all(passes)).flat();
  });

  expect(repeated.map(({ objectId, times }) => `${objectId}: ${times}`).sort()).toEqual(['77: 2', '9999: 2']);
});

test('a folder that is not there is one clear error', async () => {
  const attempt = verifyCatalogue({ folder: join(folder, 'nowhere') });

  await expect(attempt).rejects.toMatchObject({ code: 'FOLDER_UNREADABLE', name: 'InputError' });
});

test('an engine with too little memory is an error, not a verdict', async () => {
  const attempt = verifyCatalogue({ folder: intact.folder, database: { threads: 1, memoryLimit: '1MiB' } });

  await expect(attempt).rejects.toThrow(/Out of Memory/);
});

test('no code is without a kind of damage that it names', () => {
  const shown = new Set([...DAMAGES, ...PART_DAMAGES].flatMap(({ codes }) => codes));

  expect(Object.keys(FINDING_CODES).filter((code) => ![...shown].some((known) => known === code))).toEqual([]);
});
