import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

describe('tracts', () => {
  const bounds = async (rows: string) => {
    const path = join(folder, 'tracts.parquet');
    await withDatabase({ threads: 1 }, (database) =>
      database.run(
        `COPY (SELECT * FROM (VALUES ${rows}) AS t(tract, ra_from, ra_to, dec_from, dec_to)) TO '${path}' (FORMAT parquet)`,
      ),
    );
    return path;
  };
  /** 1,000 rows of tract 4848 and 1,000 of 4849, within ra 58 to 62 and dec -36 to -33. */
  const judged = async (rows: string, replace: Record<string, string> = {}) => {
    const [path, tracts] = [join(folder, 'of-tracts.parquet'), await bounds(rows)];
    const profile = profileNamed('lsst-dp1');
    return withDatabase({ threads: 2 }, async (database) => {
      await writeSurveyChunk(database, path, 'lsst-dp1', { rows: 2000, first: 9000, narrow: true, replace });
      const reading = await readValues(database, path, profile, { bounds: tracts });
      if (reading.kind === 'unreadable') throw new Error(reading.reason);
      return { tracts: reading.statistics.tracts, findings: judgeValues(reading.statistics, profile) };
    });
  };

  test('with bounds around all their rows have nothing to say', async () => {
    const { tracts, findings } = await judged('(4848, 58, 62, -36, -33), (4849, 50, 70, -40, -30)');

    expect(tracts).toEqual({
      rows: { '4848': 1000, '4849': 1000 },
      bounds: { outside: 0, unknown: 0, worst: null },
    });
    expect(findings).toEqual([]);
  });

  test('refuse rows that lie elsewhere, and say how many and where', async () => {
    const { findings } = await judged('(4848, 58, 62, -36, -33), (4849, 58, 62, -36, -33)', {
      coord_dec: 'CASE WHEN i % 500 = 0 AND i >= 1000 THEN 10 ELSE v END',
    });

    expect(findings).toMatchObject([
      { code: 'OUTSIDE_TRACT', severity: 'refuse', numbers: { rows: 2, of: 2000 }, where: 'tract 4849' },
    ]);
  });

  test('may lie across ra = 0', async () => {
    const ra = { coord_ra: 'CASE i % 3 WHEN 0 THEN 359.5 WHEN 1 THEN 0.5 ELSE 360 END' };

    const { findings } = await judged('(4848, 359, 1, -36, -33), (4849, 359, 1, -36, -33)', ra);
    const { findings: beyond } = await judged('(4848, 359, 0.4, -36, -33), (4849, 359, 1, -36, -33)', ra);

    expect(findings).toEqual([]);
    expect(beyond).toMatchObject([{ code: 'OUTSIDE_TRACT', where: 'tract 4848' }]);
  });

  test('without bounds, and rows without a tract, are flagged', async () => {
    const { findings } = await judged('(4848, 58, 62, -36, -33)', { tract: 'CASE WHEN i < 10 THEN NULL ELSE v END' });

    expect(findings).toMatchObject([{ code: 'TRACT_UNKNOWN', severity: 'flag', numbers: { rows: 1010 } }]);
  });
});
