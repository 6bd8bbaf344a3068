import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { photozColumns } from '#core/hats/columns.ts';
import { fitsMap } from '#core/hats/fits-map.ts';
import { inSkyOrder, leafPath, pixelOfLeafPath } from '#core/hats/layout.ts';
import { manifestPathSchema, manifestSchema, renderManifest } from '#core/hats/manifest.ts';
import { parseProperties, renderProperties } from '#core/hats/properties.ts';
import { encodeFieldHeader, encodeInteger, encodeListHeader, ThriftCursor } from '#core/hats/thrift-compact.ts';
import { indexRange, pixelCount } from '#core/healpix.ts';

const pixels = fc
  .integer({ min: 0, max: 12 })
  .chain((order) => fc.record({ order: fc.constant(order), pixel: fc.nat(pixelCount(order) - 1) }));

describe('the columns', () => {
  test('are those of the table that Rubin ships, with an index before, odds and flags behind', () => {
    const columns = photozColumns({ coordinates: { ra: 'ra', dec: 'dec' }, algorithms: ['dnf'], templates: [] });

    expect(columns.map(({ name }) => name)).toEqual([
      ...['_healpix_29', 'objectId', 'ra', 'dec', 'dnf_z_best', 'dnf_z_mode', 'dnf_z_mean', 'dnf_z_median'],
      ...['dnf_z_err68_low', 'dnf_z_err68_high', 'dnf_z_err95_low', 'dnf_z_err95_high', 'dnf_odds', 'dnf_flags'],
    ]);
    const shown = columns.filter((column) => column.default).map(({ name }) => name);
    expect(shown).toEqual(['objectId', 'ra', 'dec', 'dnf_z_best']);
    for (const { description } of columns) expect(description).not.toMatch(/[{}]/);
  });
});

describe('properties', () => {
  test('read back as they were written, whatever their text', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 });
    fc.assert(
      fc.property(fc.dictionary(text, text, { noNullPrototype: true }), (properties) => {
        expect(parseProperties(renderProperties('a title', properties))).toEqual(properties);
      }),
    );
  });

  test('of other writers are understood: comments, other separators, continued lines', () => {
    const found = parseProperties('#HATS catalog\n! note\nobs_collection = a b \nhats_nrows:7\r\nlong=one\\\n   two\n');

    expect(found).toEqual({ obs_collection: 'a b ', hats_nrows: '7', long: 'onetwo' });
  });
});

describe('a leaf', () => {
  test('is found again by its path, and by no other path', () => {
    fc.assert(
      fc.property(pixels, (pixel) => {
        expect(pixelOfLeafPath(leafPath(pixel))).toEqual(pixel);
      }),
    );
    expect(pixelOfLeafPath('dataset/Norder=8/Dir=0/Npix=10001.parquet')).toBeNull();
    expect(pixelOfLeafPath('dataset/Norder=8/Dir=10000/Npix=10001.parquet.old')).toBeNull();
  });

  test('comes in the order of the sky', () => {
    fc.assert(
      fc.property(fc.array(pixels), (found) => {
        const starts = found.toSorted(inSkyOrder).map((pixel) => indexRange(pixel).from);
        expect(starts).toEqual([...starts].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
      }),
    );
  });
});

describe('a sky map', () => {
  const valueAt = (bytes: Uint8Array, position: number) => new DataView(bytes.buffer).getBigInt64(position);

  test('of a sparse sky has a row per occupied pixel', () => {
    const bytes = fitsMap(10, [
      [3, 4],
      [12_582_911, 2 ** 40],
    ]);

    expect(bytes.length).toBe(3 * 2880);
    expect([0, 8, 16, 24].map((at) => valueAt(bytes, 2 * 2880 + at))).toEqual([3n, 4n, 12_582_911n, 2n ** 40n]);
  });

  test('of a full sky has a row per pixel', () => {
    const bytes = fitsMap(
      1,
      Array.from({ length: 47 }, (_, pixel) => [pixel, pixel + 1] as const),
    );

    expect(new TextDecoder().decode(bytes)).toContain("INDXSCHM= 'IMPLICIT'");
    expect([0, 46 * 8, 47 * 8].map((at) => valueAt(bytes, 2 * 2880 + at))).toEqual([1n, 47n, 0n]);
  });
});

describe('the manifest', () => {
  const file = (path: string) => ({ path, sha256: 'a'.repeat(64), sizeBytes: 1 });

  test('has one line per file, in order, and reads back', () => {
    const manifest = manifestSchema.parse({
      version: 1,
      collection: 'c',
      rows: 2,
      about: { release: 'dp1' },
      files: [file('b/x'), file('a.b'), file('B')],
    });

    const text = renderManifest(manifest);

    expect(text.match(/"path":"[^"]+"/g)).toEqual(['"path":"B"', '"path":"a.b"', '"path":"b/x"']);
    expect(manifestSchema.parse(JSON.parse(text)).rows).toBe(2);
  });

  test.each(['/etc/passwd', '../x', 'a/../b', 'a/./b', 'a//b', 'a/', '', 'a\\b', 'a b', '..'])('refuses %j', (path) => {
    expect(manifestPathSchema.safeParse(path).success).toBe(false);
  });
});

describe("Thrift's compact form", () => {
  test('numbers, field ids and list sizes read back', () => {
    const sizes = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 4000 }), fc.nat(40), fc.nat(1_000_000));
    fc.assert(
      fc.property(sizes, ([number, id, previous, size]) => {
        fc.pre(id > previous);
        const bytes = [...encodeFieldHeader(id, previous, 6), ...encodeInteger(number), ...encodeListHeader(size, 12)];

        const cursor = new ThriftCursor(Uint8Array.from(bytes));

        expect(cursor.field(previous)).toEqual({ id, type: 6, start: 0 });
        expect(cursor.integer()).toBe(number);
        expect(cursor.list()).toEqual({ size, type: 12 });
        expect(cursor.position).toBe(bytes.length);
      }),
    );
  });

  test('what ends too early is an error, not a wrong value', () => {
    expect(() => new ThriftCursor(Uint8Array.of(0x18, 5, 65)).skip(12)).toThrow(RangeError);
    expect(() => new ThriftCursor(Uint8Array.of(0x80)).varint()).toThrow(RangeError);
  });
});
