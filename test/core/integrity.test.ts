import { describe, expect, it } from 'vitest';
import { sha256 } from '#core/digest.ts';
import {
  type ChunkExpectation,
  type ChunkFacts,
  INTEGRITY_CODES,
  judgeAgainstManifest,
  judgeChunk,
} from '#core/integrity.ts';
import { magnitudeProfile } from '#test/core/sample-release.ts';

const bytes = sha256('the bytes');
const other = sha256('other bytes');

const columns = new Map([
  ['id', 'BIGINT'],
  ['ra', 'DOUBLE'],
  ['dec', 'DOUBLE'],
  ...Object.values(magnitudeProfile.bands).flatMap((band): [string, string][] => [
    [band.value, 'FLOAT'],
    [band.error, 'DECIMAL(18,3)'],
  ]),
]);
const table = { rows: 10, columns, keys: { nullIds: 0, duplicateIds: 0, badCoordinates: 0 } };
const good: ChunkFacts = { sha256: bytes, sizeBytes: 100, table, reason: null };
const nothing: ChunkExpectation = { declaredSha256: null, manifest: null };

const codes = (facts: ChunkFacts, expected = nothing) =>
  judgeChunk(facts, expected, magnitudeProfile).map((finding) => finding.code);
const withColumn = (name: string, type: string | null) => {
  const changed = new Map(columns);
  if (type === null) changed.delete(name);
  else changed.set(name, type);
  return { ...good, table: { ...table, columns: changed } };
};
const withKeys = (keys: object) => ({ ...good, table: { ...table, keys: { ...table.keys, ...keys } } });

const cases: [(typeof INTEGRITY_CODES)[number], ChunkFacts, ChunkExpectation?][] = [
  ['DIGEST_MISMATCH', good, { declaredSha256: other, manifest: null }],
  ['MANIFEST_MISMATCH', good, { declaredSha256: null, manifest: { sha256: other, rows: 10 } }],
  ['NOT_PARQUET', { ...good, table: null, reason: 'it is cut off' }],
  ['COLUMN_MISSING', withColumn('m_r', null)],
  ['COLUMN_MISSING', withColumn('id', null)],
  ['COLUMN_TYPE', withColumn('id', 'DOUBLE')],
  ['COLUMN_TYPE', withColumn('id', 'INTERVAL')],
  ['COLUMN_TYPE', withColumn('id', 'BIGINT[]')],
  ['COLUMN_TYPE', withColumn('ra', 'VARCHAR')],
  ['COLUMN_TYPE', withColumn('e_y', 'STRUCT(a INTEGER)')],
  ['COLUMN_TYPE', withColumn('m_u', 'FLOAT[]')],
  ['ROWS_MISMATCH', good, { declaredSha256: null, manifest: { sha256: bytes, rows: 11 } }],
  ['EMPTY', { ...good, table: { ...table, rows: 0 } }],
  ['ID_NULL', withKeys({ nullIds: 1 })],
  ['ID_DUPLICATE', withKeys({ duplicateIds: 3 })],
  ['COORDINATES', withKeys({ badCoordinates: 2 })],
];

describe('judgeChunk', () => {
  it('accepts what is as it should be, and as everyone said', () => {
    expect(codes(good)).toEqual([]);
    expect(codes(good, { declaredSha256: bytes, manifest: { sha256: bytes, rows: 10 } })).toEqual([]);
    for (const type of ['TINYINT', 'INTEGER', 'UBIGINT', 'USMALLINT']) {
      expect(codes(withColumn('id', type))).toEqual([]);
    }
  });

  it.each(cases)('finds %s, and only that', (code, facts, expected) => {
    expect(codes(facts, expected)).toEqual([code]);
  });

  it('has every code in a case above', () => {
    expect([...new Set(cases.map(([code]) => code))].sort()).toEqual([...INTEGRITY_CODES].sort());
  });

  it('says all that is wrong with a readable file at once', () => {
    const facts = withKeys({ nullIds: 1, duplicateIds: 1, badCoordinates: 1 });
    const broken = { ...facts, table: { ...facts.table, columns: new Map([['id', 'VARCHAR']]) } };

    expect(new Set(codes(broken))).toEqual(
      new Set(['COLUMN_TYPE', 'COLUMN_MISSING', 'ID_NULL', 'ID_DUPLICATE', 'COORDINATES']),
    );
  });

  it('says nothing of the columns of a file that is not the published one', () => {
    const expected = { declaredSha256: other, manifest: { sha256: other, rows: 99 } };

    expect(codes(withColumn('m_r', null), expected)).toEqual(['DIGEST_MISMATCH', 'MANIFEST_MISMATCH']);
  });

  it('names the place in a sentence', () => {
    const [finding] = judgeChunk(withColumn('m_r', 'VARCHAR'), nothing, magnitudeProfile);

    expect(finding?.sentence).toBe('the column m_r has type VARCHAR; profile sample needs a number');
  });
});

describe('judgeAgainstManifest', () => {
  it('compares bytes before rows', () => {
    const seen = { sha256: bytes, rows: 10 };

    expect(judgeAgainstManifest(seen, seen)).toEqual([]);
    expect(judgeAgainstManifest(seen, { sha256: other, rows: 11 }).map(({ code }) => code)).toEqual([
      'MANIFEST_MISMATCH',
    ]);
    expect(judgeAgainstManifest(seen, { sha256: bytes, rows: 11 }).map(({ code }) => code)).toEqual(['ROWS_MISMATCH']);
  });
});
