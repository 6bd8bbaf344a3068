import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examineChunk } from '#adapters/chunk-examiner.ts';
import { parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { readUnits } from '#adapters/unit-reader.ts';
import { sha256 } from '#core/digest.ts';
import type { Profile } from '#core/profile.ts';
import { profileNamed, writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

const VOTABLE = 'IVOA.VOTable-Parquet.content';
const ASTROPY = 'table_meta_yaml';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-units-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let cases = 0;
/** What the intake says of a sound chunk with these words in its metadata. */
async function look(key: string, words: string, change: Partial<Profile> = {}, waived: readonly string[] = []) {
  cases += 1;
  const [plain, path] = [join(folder, `${cases}-plain.parquet`), join(folder, `${cases}.parquet`)];
  const digest = sha256('any');
  return withDatabase({ threads: 1, temporaryFolder: folder }, async (database) => {
    await writeSurveyChunk(database, plain, 'lsst-dp1', { rows: 300, narrow: true });
    await database.run(
      `COPY (SELECT * FROM ${parquetRelation([plain])}) TO ${quoteLiteral(path)}
       (FORMAT parquet, KV_METADATA {${quoteLiteral(key)}: ${quoteLiteral(words)}})`,
    );
    const profile = { ...profileNamed('lsst-dp1'), ...change };
    const file = { path, sha256: digest, sizeBytes: 1 };
    const expected = { declaredSha256: digest, manifest: null };
    const examination = await examineChunk(database, file, expected, profile, waived);
    const units = examination.findings.filter(({ code }) => code === 'COLUMN_UNIT');
    return { kind: examination.kind, units, said: await readUnits(database, path) };
  });
}

const field = (name: string, unit: string) => `<FIELD datatype="double" unit="${unit}" name="${name}"/>`;
const votable = (...fields: readonly string[]) =>
  `<VOTABLE><RESOURCE><TABLE>${fields.join('')}</TABLE></RESOURCE></VOTABLE>`;

describe('the units that a file says its columns have', () => {
  it.each([
    ['a VOTable header', VOTABLE, votable(field('coord_ra', 'rad'), field('coord_dec', 'rad'))],
    [
      'astropy',
      ASTROPY,
      'datatype:\n- {name: coord_ra, unit: rad, datatype: float64}\n- {name: coord_dec, unit: rad}\n',
    ],
  ])('refuse it when they are not those of the profile: %s', async (_what, key, words) => {
    const { kind, units } = await look(key, words);

    expect(kind).toBe('refused');
    expect(units).toMatchObject([{ severity: 'refuse', where: 'coord_ra', numbers: { columns: 2 } }]);
    expect(units[0]?.sentence).toContain('coord_ra is in rad, the profile lsst-dp1 that it is in deg, and 1 more');
  });

  it('tell microjanskys from nanojanskys', async () => {
    const { units } = await look(VOTABLE, votable(field('i_cModelFlux', 'uJy'), field('r_cModelFlux', 'nJy')));

    expect(units).toMatchObject([{ where: 'i_cModelFlux', numbers: { columns: 1 } }]);
  });

  it.each([
    ['those of the profile', votable(field('coord_ra', 'deg'), field('ebv', 'mag'), field('i_cModelFlux', 'nJy'))],
    ['none', votable(field('coord_ra', ''), '<FIELD name="coord_dec"/>')],
    ['those of columns that nobody reads', votable(field('shape_xx', 'arcsec**2'))],
  ])('are in order when they are %s', async (_what, words) => {
    expect(await look(VOTABLE, words)).toMatchObject({ kind: 'accepted', units: [] });
  });

  it.each([
    ['no YAML', ASTROPY, ': [ {'],
    ['YAML of something else', ASTROPY, 'datatype: 5'],
    ['no XML', VOTABLE, 'deg deg deg <FIELD'],
  ])('are not there when the words are %s', async (_what, key, words) => {
    const { kind, said } = await look(key, words);

    expect(said.size).toBe(0);
    expect(kind).toBe('accepted');
  });

  it('are read whatever stands in the other attributes', async () => {
    const { said } = await look(
      VOTABLE,
      `<v:FIELD name='coord_ra' ucd="a>b" unit='deg'><DESCRIPTION>x</DESCRIPTION></v:FIELD>`,
    );

    expect(said).toEqual(new Map([['coord_ra', 'deg']]));
  });

  it('are flagged or noted where the survey or a person says so', async () => {
    const words = votable(field('coord_ra', 'rad'));

    const waived = await look(VOTABLE, words, {}, ['COLUMN_UNIT']);
    const milder = await look(VOTABLE, words, { checks: { COLUMN_UNIT: { severity: 'flag' } } });

    for (const { kind, units } of [waived, milder]) {
      expect(kind).toBe('accepted');
      expect(units).toMatchObject([{ severity: 'flag' }]);
    }
  });
});
