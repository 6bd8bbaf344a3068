import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { sha256 } from '#core/digest.ts';
import { BANDS, type Profile, profileSchema } from '#core/profile.ts';
import { partId, partSizes, recipeDigest } from '#core/recipe.ts';
import { canonicalColumnsSql } from '#core/skinny-sql.ts';
import { fluxProfile, magnitudeProfile, recipe } from '#test/core/sample-release.ts';

describe('partSizes', () => {
  it('shares all rows out over as few parts as possible, which differ by one row at most', () => {
    const limits = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000_000 }), limits, (rows, limit) => {
        fc.pre(rows / limit < 5000);

        const sizes = partSizes(rows, limit);

        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(rows);
        expect(sizes).toHaveLength(Math.ceil(rows / limit));
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('makes one part of what fits in one', () => {
    expect(partSizes(130_000, 130_000)).toEqual([130_000]);
    expect(partSizes(130_001, 130_000)).toEqual([65_000, 65_001]);
  });
});

describe('the names of parts', () => {
  it('change with all that changes a derived byte, and with nothing else', () => {
    const name = recipeDigest(recipe, magnitudeProfile);

    expect(recipeDigest({ ...recipe, decimals: 3 }, magnitudeProfile)).not.toBe(name);
    expect(recipeDigest({ ...recipe, maxRowsPerPart: 1 }, magnitudeProfile)).not.toBe(name);
    expect(recipeDigest(recipe, { ...magnitudeProfile, missing: [99] })).not.toBe(name);
    expect(recipeDigest(recipe, { ...magnitudeProfile, ra: 'coord_ra' })).not.toBe(name);
    expect(recipeDigest(recipe, fluxProfile)).not.toBe(name);
    expect(recipeDigest({ ...recipe, description: 'other words', version: 2 }, magnitudeProfile)).toBe(name);
    expect(recipeDigest(recipe, { ...magnitudeProfile, description: 'other words', name: 'renamed' })).toBe(name);
  });

  it('separate the chunks, the recipes, the places and the numbers of parts', () => {
    const [chunk, made] = [sha256('chunk'), sha256('recipe')];
    const ids = [
      partId(chunk, made, 0, 2),
      partId(chunk, made, 1, 2),
      partId(chunk, made, 0, 1),
      partId(sha256('other'), made, 0, 2),
      partId(chunk, sha256('other'), 0, 2),
    ];

    expect(new Set(ids).size).toBe(ids.length);
  });
});

type Number_ = number | null;
interface Measured {
  readonly value: Number_;
  readonly error: Number_;
}

const literal = (number: Number_) =>
  number === null ? 'NULL::DOUBLE' : `'${Number.isFinite(number) ? number.toExponential() : number}'::DOUBLE`;

const outSchema = z.array(z.object({ mag_r: z.number().nullable(), magerr_r: z.number().nullable() }));

/** What the recipe's SQL makes of one band. */
async function derive(profile: Profile, rows: readonly Measured[]) {
  const values = rows.map(({ value, error }, index) => `(${index}, ${literal(value)}, ${literal(error)})`);
  const others = BANDS.filter((band) => band !== 'r').map(
    (band) => `NULL::DOUBLE AS m_${band}, NULL::DOUBLE AS e_${band}`,
  );
  const source = `(SELECT id, 10e0 AS ra, 20e0 AS dec, m_r, e_r, ${others.join(', ')} FROM (VALUES ${values.join(', ')}) t(id, m_r, e_r))`;
  return withDatabase({ threads: 1 }, async (database) =>
    outSchema.parse(await database.rows(`${canonicalColumnsSql(source, profile, recipe)} ORDER BY "objectId"`)),
  );
}

const NOT_DETECTED = { mag_r: null, magerr_r: null };
/** The nearest multiple of 1e-4, halves to even, in single precision. */
const four = (value: number) => {
  const below = Math.floor(value * 1e4);
  const above = value * 1e4 - below;
  const isUp = above > 0.5 || (above === 0.5 && below % 2 !== 0);
  // Never -0.
  return Math.fround((isUp ? below + 1 : below) / 1e4 + 0);
};
/** Two libraries' logarithms may differ in the last bit, which decides a tie. */
const isTie = (value: number) => Math.abs(((value * 1e4 + 0.5) % 1) - Math.round((value * 1e4 + 0.5) % 1)) < 1e-6;

describe('the SQL of the recipe', () => {
  it.each<[string, Number_, Number_]>([
    ['null', null, 0.1],
    ['not a number', Number.NaN, 0.1],
    ['infinite', Number.POSITIVE_INFINITY, 0.1],
    ['minus infinite', Number.NEGATIVE_INFINITY, 0.1],
    ['99', 99, 0.1],
    ['-99', -99, 0.1],
    ['beyond single precision', 1e300, 0.1],
    ['with an error that is null', 20, null],
    ['with an error of 0', 20, 0],
    ['with a negative error', 20, -0.1],
    ['with an error that is not a number', 20, Number.NaN],
    ['with an infinite error', 20, Number.POSITIVE_INFINITY],
    ['with an error of 99', 20, 99],
    ['with an error beyond single precision', 20, 1e300],
    ['beyond 1000', 1000, 0.1],
    ['with an error beyond 1000', 20, 1000],
  ])('has no detection in a magnitude that is %s', async (_what, value, error) => {
    expect(await derive(magnitudeProfile, [{ value, error }])).toEqual([NOT_DETECTED]);
  });

  it.each<[string, Number_, Number_]>([
    ['0', 0, 1],
    ['negative', -5, 1],
    ['null', null, 1],
    ['not a number', Number.NaN, 1],
    ['infinite', Number.POSITIVE_INFINITY, 1],
    ['with an error of 0', 100, 0],
    ['with an error that is not a number', 100, Number.NaN],
    ['with an error of more than 1000 mag', 1, 922],
    ['beyond single precision', 1e300, 1],
    ['so small that its relative error is beyond all bounds', 1e-300, 1e300],
  ])('has no detection in a flux that is %s', async (_what, value, error) => {
    expect(await derive(fluxProfile, [{ value, error }])).toEqual([NOT_DETECTED]);
  });

  it('takes a sentinel only for what the profile says: a flux of 99 nJy is a flux', async () => {
    const [row] = await derive(fluxProfile, [{ value: 99, error: 99 }]);

    expect(row).toEqual({ mag_r: four(31.4 - 2.5 * Math.log10(99)), magerr_r: four(2.5 / Math.LN10) });
  });

  it('turns nanojanskys into AB magnitudes: 3631 Jy is 0 mag but for the zero point rounded to 31.4', async () => {
    const [zero, one] = await derive(fluxProfile, [
      { value: 3631e9, error: 3631e7 },
      { value: 1, error: 0.1 },
    ]);

    expect(zero?.mag_r).toBeCloseTo(0, 3);
    expect(one).toEqual({ mag_r: Math.fround(31.4), magerr_r: Math.fround(0.1086) });
  });

  it('rounds magnitudes to four decimals, halves to even, as an independent computation does', async () => {
    const random = fc.sample(
      fc.record({
        value: fc.double({ min: -5, max: 40, noNaN: true }),
        error: fc.double({ min: 1e-4, max: 50, noNaN: true }),
      }),
      { numRuns: 3000, seed: 1 },
    );
    const rows = [{ value: 20.00005, error: 0.12345 }, { value: -0.00004, error: 1 }, ...random];

    const derived = await derive(magnitudeProfile, rows);

    expect(derived).toEqual(rows.map(({ value, error }) => ({ mag_r: four(value), magerr_r: four(error) })));
  });

  it('converts fluxes as an independent computation does', async () => {
    const rows = fc.sample(
      fc.record({
        value: fc.double({ min: -3, max: 9, noNaN: true }).map((exponent) => 10 ** exponent),
        error: fc.double({ min: -2, max: 3, noNaN: true }).map((exponent) => 10 ** exponent),
      }),
      { numRuns: 3000, seed: 2 },
    );
    const wanted = rows.map(({ value, error }) => ({
      magnitude: 31.4 - 2.5 * Math.log10(value),
      error: ((2.5 / Math.LN10) * error) / value,
    }));

    const derived = await derive(fluxProfile, rows);

    const clear = wanted.flatMap((want, index) =>
      isTie(want.magnitude) || isTie(want.error) ? [] : [{ want, got: derived[index] }],
    );
    expect(clear.length).toBeGreaterThan(2900);
    expect(clear.map(({ got }) => got)).toEqual(
      clear.map(({ want }) =>
        want.error < 1000
          ? { mag_r: four(want.magnitude), magerr_r: Math.max(four(want.error), Math.fround(1e-4)) }
          : NOT_DETECTED,
      ),
    );
  });

  it('never rounds the error of a detection to 0, which would say "not measured" of the brightest objects', async () => {
    const derived = await derive(magnitudeProfile, [
      { value: 14, error: 0.00004 },
      { value: 14, error: 1e-300 },
    ]);

    expect(derived).toEqual([0, 1].map(() => ({ mag_r: 14, magerr_r: Math.fround(1e-4) })));
  });

  it('has the bands that a profile lacks as NULL, of the same type', async () => {
    const profile = profileSchema.parse({ ...magnitudeProfile, bands: { r: magnitudeProfile.bands.r } });
    const source = '(SELECT 1 AS id, 10e0 AS ra, 20e0 AS dec, 21e0 AS m_r, 0.1e0 AS e_r)';

    const described = await withDatabase({ threads: 1 }, (database) =>
      database.rows(`DESCRIBE ${canonicalColumnsSql(source, profile, recipe)}`),
    );

    const expected = ['objectId BIGINT', 'ra DOUBLE', 'dec DOUBLE'];
    for (const prefix of ['mag', 'magerr']) expected.push(...BANDS.map((band) => `${prefix}_${band} FLOAT`));
    expected.push('primary INTEGER', 'extendedness DOUBLE', 'ebv DOUBLE');
    expect(described.map((row) => `${row.column_name} ${row.column_type}`)).toEqual(expected);
  });
});

describe('skinny parts', () => {
  it('come out bit for bit the same twice, whatever the threads, and hold every row once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ponte-skinny-'));
    try {
      const path = join(folder, 'chunk.parquet');
      const bands = BANDS.map((band) => `20 + random() AS m_${band}, random() AS e_${band}`).join(', ');
      await withDatabase({ threads: 1 }, (database) =>
        database.run(
          `COPY (SELECT setseed(0.5) AS s, range AS id, random() * 360 AS ra, random() * 180 - 90 AS dec, ${bands}
                 FROM range(50001)) TO '${path}' (FORMAT parquet)`,
        ),
      );
      const write = async (threads: number) => {
        const cut = { ...recipe, maxRowsPerPart: 20_000 };
        const derived = await withDatabase({ threads }, (database) =>
          writeSkinnyParts(database, path, folder, magnitudeProfile, cut),
        );
        if (derived.kind !== 'parts') throw new Error(derived.reason);
        const digests = await Promise.all(derived.files.map((file) => fileDigest(file.path)));
        return { digests, files: derived.files };
      };

      const first = await write(1);
      const second = await write(2);

      expect(second).toEqual(first);
      expect(first.files.map((file) => file.rows)).toEqual([16_667, 16_667, 16_667]);
      const pixels = first.files.map((file) => Object.values(file.pixels).reduce((sum, rows) => sum + rows, 0));
      expect(pixels).toEqual([16_667, 16_667, 16_667]);
      const paths = first.files.map((file) => `'${file.path}'`).join(', ');
      const [row] = await withDatabase({}, (database) =>
        database.rows(`SELECT count(DISTINCT "objectId") AS ids, bool_and(sorted) AS sorted FROM (
          SELECT "objectId", _healpix_29 >= lag(_healpix_29, 1, 0) OVER (ORDER BY filename, file_row_number) AS sorted
          FROM read_parquet([${paths}], filename = true, file_row_number = true))`),
      );
      expect(row).toEqual({ ids: 50_001n, sorted: true });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
