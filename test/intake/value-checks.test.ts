import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inspectChunk } from '#adapters/chunk-inspector.ts';
import { withDatabase } from '#adapters/duckdb.ts';
import { readValues } from '#adapters/value-reader.ts';
import { VALUE_CHECK_NAMES, VALUE_CHECKS } from '#core/checks.ts';
import { sha256 } from '#core/digest.ts';
import { judgeChunk, refuses } from '#core/integrity.ts';
import { type Profile, profileDigest, profileOfFile } from '#core/profile.ts';
import { judgeValues } from '#core/value-judgement.ts';
import {
  profileNamed,
  SURVEYS,
  type Survey,
  type SurveyChunkOptions,
  writeSurveyChunk,
} from '#test/fixtures/survey-chunk.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-checks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let cases = 0;
/** What the intake would say of such a chunk, notes too. */
async function look(
  survey: Survey,
  options: SurveyChunkOptions,
  change: Partial<Profile> = {},
  waived: readonly string[] = [],
) {
  cases += 1;
  const path = join(folder, `${cases}.parquet`);
  const profile = { ...profileNamed(survey), ...change };
  return withDatabase({ threads: 2 }, async (database) => {
    await writeSurveyChunk(database, path, survey, options);
    const inspection = await inspectChunk(database, path, profile);
    if (inspection.kind === 'unreadable') throw new Error(inspection.reason);
    const { table } = inspection;
    const facts = { sha256: sha256('any'), sizeBytes: 1, table, reason: null };
    const findings = judgeChunk(facts, { declaredSha256: null, manifest: null }, profile);
    if (findings.length > 0) return { findings, statistics: null };
    const ofFile = profileOfFile(profile, table.columns);
    const reading = await readValues(database, path, ofFile);
    if (reading.kind === 'unreadable') throw new Error(reading.reason);
    return { findings: judgeValues(reading.statistics, ofFile, waived), statistics: reading.statistics };
  });
}

test.each(SURVEYS)('finds nothing wrong with a sound chunk of %s', async (survey) => {
  const { findings, statistics } = await look(survey, { rows: 3000 });

  expect(findings).toEqual([]);
  expect(statistics?.rows).toBe(3000);
  expect(statistics?.bands.i?.errorCorrelation).toBeGreaterThan(0.8);
});

test('counts what is in a band', async () => {
  const { statistics } = await look('lsst-dp02', {
    rows: 1000,
    replace: {
      g_cModelFlux:
        "CASE WHEN i < 100 THEN NULL WHEN i < 150 THEN 'nan'::DOUBLE WHEN i < 250 THEN -5 WHEN i < 260 THEN 0 ELSE abs(v) END",
      g_cModelFluxErr: 'CASE WHEN i BETWEEN 300 AND 306 THEN 0 ELSE v END',
      detect_isPrimary: 'i < 900',
      refExtendedness: 'CASE WHEN i < 40 THEN NULL WHEN i < 540 THEN 1 ELSE 0 END',
    },
  });

  expect(statistics).toMatchObject({ rows: 1000, primary: 900, separated: 960, extended: 500, withEbv: null });
  expect(statistics?.bands.g).toMatchObject({
    empty: 150,
    notDetected: 110,
    errorUnusable: 7,
    detected: 733,
    outside: 0,
  });
});

test.each([
  [
    'a flux in Jy for one in nJy',
    { r_cModelFlux: 'v * 1e-9', r_cModelFluxErr: 'v * 1e-9' },
    'MAGNITUDE_RANGE',
    'refuse',
    'r',
  ],
  [
    'errors that shrink towards the faint end',
    { i_cModelFluxErr: '1e4 * pow(10, -7.2 * sqrt(u3))' },
    'ERROR_RELATION',
    'refuse',
    'i',
  ],
  ['no E(B-V)', { ebv: "CASE WHEN i = 7 THEN 'nan'::FLOAT ELSE v END" }, 'EBV_UNUSABLE', 'refuse', 'ebv'],
  ['no errors', { z_cModelFluxErr: 'CASE WHEN i < 200 THEN 0 ELSE v END' }, 'ERROR_UNUSABLE', 'flag', 'z'],
  ['stars only', { refExtendedness: '0' }, 'FEW_EXTENDED', 'flag', 'refExtendedness'],
  ['nothing seen', { g_cModelFlux: '-abs(v)' }, 'BAND_NOT_DETECTED', 'note', 'g'],
  ['an empty band', { u_cModelFlux: 'NULL' }, 'BAND_EMPTY', 'note', 'u'],
])('says so: %s', async (_title, replace, code, severity, where) => {
  const { findings } = await look('lsst-dp1', { rows: 2000, replace });

  const found = findings.find((finding) => finding.code === code);
  expect(found).toMatchObject({
    code,
    severity,
    where,
    numbers: { limit: expect.any(Number), value: expect.any(Number) },
  });
  expect(found?.sentence).toMatch(/in order is at (most|least) /);
  expect(findings.some(refuses)).toBe(severity === 'refuse');
});

test('is as strict as the survey wants it', async () => {
  const replace = { detect_isPrimary: 'i % 4 = 0' };
  const severity = async (checks: Profile['checks']) =>
    (await look('lsst-dp02', { rows: 500, replace }, checks ? { checks } : {})).findings.map(
      (finding) => finding.severity,
    );

  expect(await severity(undefined)).toEqual(['flag']);
  expect(await severity({ NOT_PRIMARY: { severity: 'refuse' } })).toEqual(['refuse']);
  expect(await severity({ NOT_PRIMARY: { limit: 0.9 } })).toEqual([]);
});

test('only flags what a person waived for this content', async () => {
  const { findings } = await look('lsst-dp1', { rows: 2000, replace: { ebv: '-1' } }, {}, ['EBV_UNUSABLE']);

  expect(findings).toMatchObject([{ code: 'EBV_UNUSABLE', severity: 'flag' }]);
});

test('needs every column but those of an optional band', async () => {
  const whole = ['MAG_AUTO_Y', 'MAGERR_AUTO_Y'];
  const codes = async (without: string[]) =>
    (await look('des-dr2', { rows: 300, without })).findings.map(({ code, where }) => `${code} ${where}`);

  expect(await codes(whole)).toEqual([]);
  expect(await codes(['MAG_AUTO_G', 'EBV_SFD98'])).toEqual(['COLUMN_MISSING EBV_SFD98', 'COLUMN_MISSING MAG_AUTO_G']);
});

test('does not change what is derived: checks are no part of the digest', () => {
  const profile = profileNamed('lsst-dp1');

  expect(profileDigest({ ...profile, checks: { BAND_EMPTY: { limit: 0.1 } } })).toBe(profileDigest(profile));
  expect(profileDigest({ ...profile, ebv: 'other' })).not.toBe(profileDigest(profile));
});

test('has a limit and a severity for every check', () => {
  expect(VALUE_CHECK_NAMES).toEqual(Object.keys(VALUE_CHECKS));
  expect(VALUE_CHECK_NAMES.length).toBeGreaterThan(5);
});
