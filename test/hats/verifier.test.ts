import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { FolderCollection } from '#adapters/collection-source.ts';
import { quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { compareIds } from '#adapters/hats-ids-check.ts';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { sha256 } from '#core/digest.ts';
import { divideIds } from '#core/hats/id-ranges.ts';
import { idRunsSql } from '#core/hats/leaf-check.ts';
import { partLeafPath } from '#core/hats/parts.ts';
import { FINDING_CODES, type VerifyReport } from '#core/hats/verdict.ts';
import { type IdRange, idRunSchema } from '#core/hats/verification.ts';
import { DAMAGES, firstOfTheirCode } from './damage.ts';
import { verifyMapped } from './mapped-verification.ts';
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
  const withRecord = await verifyCatalogue({ source: intact.folder, ...recorded() });
  const without = await verifyCatalogue({ source: intact.folder });
  const mapped = await verifyMapped(intact.folder, intact);

  expect(withRecord.findings).toEqual([]);
  expect(withRecord.sound).toBe(true);
  expect(without).toEqual(withRecord);
  expect(mapped).toEqual(withRecord);
});

const codesOf = ({ findings }: VerifyReport) => [...new Set(findings.map(({ code }) => code))].sort();

describe('each kind of damage is found, and called by its name', () => {
  const inCampaign = firstOfTheirCode(DAMAGES);
  test.each(DAMAGES)('$name', async (one) => {
    const { damage, codes, knowsRecord } = one;
    const damaged = join(folder, 'damaged');
    await rm(damaged, { recursive: true, force: true });
    await cp(intact.folder, damaged, { recursive: true });
    await damage({ ...intact, folder: damaged });

    const report = await verifyCatalogue({ source: damaged, ...(knowsRecord ? recorded() : {}) });

    expect(codesOf(report)).toEqual([...codes].sort());
    expect(report.sound).toBe(false);
    for (const { sentence } of report.findings) expect(sentence).toMatch(/^.{20,300}\.$/s);
    if (!inCampaign.has(one)) return;
    // A campaign knows how many rows it planned, and always says which manifest it wrote.
    const { rows, manifestSha256 } = intact;
    const mapped = await verifyMapped(damaged, knowsRecord ? { rows, manifestSha256 } : { rows: report.rows });
    expect(mapped.findings).toEqual(report.findings);
  });
});

test('an id that occurs twice is found whatever the ranges that ids are compared in', async () => {
  const source = new FolderCollection(folder);
  const found = await withDatabase({ threads: 1 }, async (database) => {
    const holders = [];
    for (const [pixel, ids] of ['77, 9999, 205000001', '500, 77', '9999, 205000001'].entries()) {
      const path = join(folder, 'ids', partLeafPath('index', { order: 1, pixel }));
      await mkdir(dirname(path), { recursive: true });
      const select = `SELECT i * 1000 + i // 10000 * 20000000 AS objectId FROM range(${pixel * 10}, 100000, 30) r(i) UNION ALL SELECT unnest([${ids}])`;
      await database.run(`COPY (${select} ORDER BY 1) TO ${quoteLiteral(path)} (FORMAT parquet)`);
      const idRuns = z.array(idRunSchema).parse(await database.rows(idRunsSql(path, 1_000_000)));
      holders.push({ order: 1, pixel, idRuns, kind: 'index' as const, sha256: sha256('unread') });
    }
    const ranges = divideIds(holders, 1500);
    expect(ranges.length).toBeGreaterThan(5);
    const compare = (range: IdRange) => compareIds(source, { object: 'c', index: 'ids' }, range, { threads: 1 });
    return (await Promise.all(ranges.map(compare))).flat();
  });

  const twice = (id: number) => `objectId ${id} occurs 2 times.`;
  expect(found.map(({ sentence }) => sentence).sort()).toEqual([twice(205000001), twice(77), twice(9999)]);
});

test('ids are divided so that every id is in one range, with all partitions that may have it', () => {
  const runs = fc.array(fc.tuple(fc.bigInt(-50n, 50n), fc.bigInt(0n, 30n), fc.nat(9)), { maxLength: 5 });
  fc.assert(
    fc.property(fc.array(runs, { maxLength: 6 }), fc.integer({ min: 1, max: 20 }), (partitions, most) => {
      const holders = partitions.map((each, pixel) => ({
        ...{ order: 3, pixel, kind: 'object' as const, sha256: sha256('x') },
        idRuns: each.map(([first, width, rows]) => ({
          first: String(first),
          last: String(first + width),
          rows: rows + 1,
        })),
      }));
      const ranges = divideIds(holders, most);
      for (let id = -50n; id <= 80n; id += 1n) {
        const mine = holders.filter(({ idRuns }) =>
          idRuns.some(({ first, last }) => BigInt(first) <= id && id <= BigInt(last)),
        );
        if (mine.length === 0) continue;
        const inside = ranges.filter(({ from, to }) => BigInt(from) <= id && (to === null || id < BigInt(to)));
        expect(inside.length).toBe(1);
        const known = inside[0]?.partitions.map(({ pixel }) => pixel) ?? [];
        expect(known).toEqual(expect.arrayContaining(mine.map(({ pixel }) => pixel)));
      }
    }),
  );
});

test('a folder that is not there is one clear error', async () => {
  const attempt = verifyCatalogue({ source: join(folder, 'nowhere') });

  await expect(attempt).rejects.toMatchObject({ code: 'FOLDER_UNREADABLE', name: 'InputError' });
});

test('an engine with too little memory is an error, not a verdict', async () => {
  const attempt = verifyCatalogue({ source: intact.folder, database: { threads: 1, memoryLimit: '1MiB' } });

  await expect(attempt).rejects.toThrow(/Out of Memory/);
});

test('no code is without a kind of damage that it names', () => {
  const shown = new Set([...DAMAGES, ...PART_DAMAGES].flatMap(({ codes }) => codes));

  expect(Object.keys(FINDING_CODES).filter((code) => ![...shown].some((known) => known === code))).toEqual([]);
});
