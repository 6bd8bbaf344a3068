import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withDatabase } from '#adapters/duckdb.ts';
import { CUT_COLUMNS, parseCut } from '#core/cut.ts';
import { recipeDigest, recipeProblems, recipeSchema } from '#core/recipe.ts';
import { profileNamed, recipeNamed } from '#test/fixtures/survey-chunk.ts';

test.each([
  ['mag_i between 16 and 24 and magerr_i < 0.2', '(("mag_i" BETWEEN 1.6e+1 AND 2.4e+1) AND ("magerr_i" < 2e-1))'],
  ['NOT (mag_g is null or mag_r IS NOT NULL)', '(NOT (("mag_g" IS NULL) OR ("mag_r" IS NOT NULL)))'],
  ['primary=1 and dec >= -30.5', '(("primary" = 1e+0) AND ("dec" >= -3.05e+1))'],
  [
    'mag_u != mag_g or mag_u not between 1 and mag_y',
    '(("mag_u" <> "mag_g") OR ("mag_u" NOT BETWEEN 1e+0 AND "mag_y"))',
  ],
  ['ra < 1 or ra > 2 and dec < 3', '(("ra" < 1e+0) OR (("ra" > 2e+0) AND ("dec" < 3e+0)))'],
])('understands %s', (text, sql) => {
  expect(parseCut(text)).toMatchObject({ ok: true, sql });
});

test.each([
  ['', 'expected a column or a number at character 1, found the end'],
  ['mag_i < 20; drop table skinny', '";" at character 11 means nothing here'],
  ["mag_i < '20'", '"\'" at character 9 means nothing here'],
  ['mag_i < 20 -- all', 'expected and, or, or the end at character 12, found -'],
  ['mag_i < read_text', 'there is no column read_text (character 9)'],
  ['mag_i', 'expected a comparison, between, or is null at character 6, found the end'],
  ['(mag_i < 20', 'expected ) at character 12, found the end'],
  ['mag_i between 1', 'expected and at character 16, found the end'],
  ['mag_i < 1e999', '1e999 at character 9 is too large'],
  ['objectId = 1', 'there is no column objectId'],
  [`${'('.repeat(60)}mag_i < 1`, 'it is nested more than 50 deep'],
  ['mag_i < 1 and '.repeat(200), 'it has 2800 characters; 2000 at most'],
])('refuses %s', (text, problem) => {
  expect(parseCut(text)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
});

test('never passes on a text of its own, whatever it is given', () => {
  const piece = fc.constantFrom(
    'mag_i',
    'magerr_i',
    '<',
    '(',
    ')',
    'and',
    'or',
    'not',
    'between',
    'is',
    'null',
    '1',
    '-2e3',
    ';',
    "'",
    '"',
    'select',
    '--',
  );
  const allowed = /^(?:"(?:\w+)"|-?\d(?:\.\d+)?e[+-]\d+|<=|>=|<>|[<>=() ]|AND|OR|NOT|BETWEEN|IS|NULL)*$/;
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(' ')),
        fc.string(),
      ),
      (text) => {
        const cut = parseCut(text);
        if (cut.ok) expect(cut.sql).toMatch(allowed);
        else expect(cut.problem).not.toBe('');
      },
    ),
    { numRuns: 2000 },
  );
});

test('means what DuckDB takes it for', async () => {
  const cut = parseCut('mag_i between 16 and 24 and not (magerr_i > 0.2 or mag_g is null)');
  if (!cut.ok) throw new Error(cut.problem);
  const rows =
    '(VALUES (20, 0.1, 21), (20, 0.3, 21), (25, 0.1, 21), (20, 0.1, NULL), (20, NULL, 21)) AS t(mag_i, magerr_i, mag_g)';

  const kept = await withDatabase({ threads: 1 }, (database) =>
    database.rows(`SELECT mag_i FROM ${rows} WHERE ${cut.sql}`),
  );

  expect(kept).toHaveLength(1);
});

test('is checked when the recipe is read, and against the survey when a release is registered', () => {
  const recipe = recipeNamed('gold-dereddened');
  const damaged = recipeSchema.safeParse({ ...recipe, cut: 'mag_i < sleep(1)' });

  expect(damaged.error?.issues[0]?.message).toBe(
    `the cut cannot be read: there is no column sleep (character 9); known: ${CUT_COLUMNS.join(', ')}`,
  );
  expect(recipeProblems(recipe, profileNamed('lsst-dp1'))).toEqual([]);
  expect(recipeProblems(recipe, profileNamed('dc2-rail'))).toEqual([
    'dereddening needs E(B-V); dc2-rail names no column for it, and the recipe no map',
    'the cut speaks of extendedness, which dc2-rail does not have',
  ]);
  expect(recipeProblems({ ...recipe, cut: 'mag_u < 25' }, profileNamed('des-dr2'))).toEqual([
    'the cut speaks of mag_u, which des-dr2 does not have',
  ]);
});

test('counts in the digest by its meaning, not by its letters', () => {
  const [profile, recipe] = [profileNamed('lsst-dp1'), recipeNamed('gold-dereddened')];
  const digest = (cut: string) => recipeDigest({ ...recipe, cut }, profile);

  expect(digest('mag_i<25.30 AND  extendedness>=0.5')).toBe(recipeDigest(recipe, profile));
  expect(digest('mag_i<25.31 AND  extendedness>=0.5')).not.toBe(recipeDigest(recipe, profile));
  const { dereddening: _none, ...reddened } = recipe;
  expect(recipeDigest(reddened, profile)).not.toBe(recipeDigest(recipe, profile));
});
