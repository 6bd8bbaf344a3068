import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectChunk } from '#adapters/chunk-inspector.ts';
import { readingFailure, withDatabase } from '#adapters/duckdb.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { BANDS } from '#core/profile.ts';
import { magnitudeProfile, recipe } from '#test/core/sample-release.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ponte-inspect-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bands = BANDS.map((band) => `20 + random() AS m_${band}, random() AS e_${band}`).join(', ');
const SOUND = `SELECT range AS id, random() * 360 AS ra, random() * 180 - 90 AS dec, ${bands} FROM range(5000)`;

let files = 0;
async function parquet(select: string): Promise<string> {
  files += 1;
  const path = join(folder, `${files}.parquet`);
  await withDatabase({}, (database) =>
    database.run(`COPY (${select}) TO '${path}' (FORMAT parquet, COMPRESSION zstd)`),
  );
  return path;
}

const inspect = (path: string) => withDatabase({}, (database) => inspectChunk(database, path, magnitudeProfile));
const keysOf = async (select: string) => {
  const inspection = await inspect(await parquet(select));
  return inspection.kind === 'table' ? inspection.table.keys : inspection.reason;
};

describe('inspectChunk', () => {
  it('sees rows, columns and keys of a sound file', async () => {
    const inspection = await inspect(await parquet(SOUND));

    if (inspection.kind !== 'table') throw new Error(inspection.reason);
    expect(inspection.table.rows).toBe(5000);
    expect([...inspection.table.columns].slice(0, 3)).toEqual([
      ['id', 'BIGINT'],
      ['ra', 'DOUBLE'],
      ['dec', 'DOUBLE'],
    ]);
    expect(inspection.table.keys).toEqual({ nullIds: 0, duplicateIds: 0, badCoordinates: 0 });
  });

  it('counts rows without an id, with a repeated one and with one beyond 64 bits', async () => {
    const ids = '(1), (1), (1), (2), (NULL), (18446744073709551615)';
    const select = `SELECT id::UBIGINT AS id, 1e0 AS ra, 1e0 AS dec FROM (VALUES ${ids}) t(id)`;

    expect(await keysOf(select)).toEqual({ nullIds: 2, duplicateIds: 2, badCoordinates: 0 });
  });

  it('counts coordinates that are no place on the sky', async () => {
    const bad = `(NULL, '1'), ('nan', '1'), ('1', 'inf'), ('-0.001', '1'), ('360.001', '1'), ('1', '90.001'), ('1', '-90.001')`;
    const good = "('0', '-90'), ('360', '90'), ('12.5', '0')";
    const select = `SELECT row_number() OVER () AS id, ra::DOUBLE AS ra, dec::DOUBLE AS dec FROM (VALUES ${bad}, ${good}) t(ra, dec)`;

    expect(await keysOf(select)).toEqual({ nullIds: 0, duplicateIds: 0, badCoordinates: 7 });
  });

  it('has no keys where their columns are of another type, rather than calling the file unreadable', async () => {
    expect(await keysOf(`SELECT 'x' AS id, 1e0 AS ra, 1e0 AS dec`)).toBeNull();
    expect(await keysOf(`SELECT 1 AS id, 'ten degrees' AS ra, 1e0 AS dec`)).toBeNull();
    expect(await keysOf('SELECT 1 AS id, 1e0 AS ra')).toBeNull();
  });

  it.each<[string, (sound: Buffer) => Buffer, RegExp]>([
    ['is empty', () => Buffer.alloc(0), /only 0 bytes/],
    ['is too short', () => Buffer.from('PAR1PAR1'), /only 8 bytes/],
    ['is something else', () => Buffer.from('id,ra,dec\n1,2,3\n'), /does not begin with PAR1/],
    ['is cut off', (sound) => sound.subarray(0, sound.length - 100), /does not end with PAR1/],
    ['lacks its beginning', (sound) => Buffer.concat([Buffer.from('XXXX'), sound.subarray(4)]), /does not begin/],
    ['has a footer of nonsense', (sound) => withNonsense(sound, sound.length - 300, 200), /./],
  ])('calls a file unreadable that %s', async (_what, damage, reason) => {
    const path = await parquet(SOUND);
    writeFileSync(path, damage(readFileSync(path)));

    const inspection = await inspect(path);

    expect(inspection).toEqual({ kind: 'unreadable', reason: expect.stringMatching(reason) });
  });
});

function withNonsense(sound: Buffer, at: number, length: number): Buffer {
  const damaged = Buffer.from(sound);
  damaged.fill(0xa5, at, at + length);
  return damaged;
}

describe('writeSkinnyParts', () => {
  it('calls a file unreadable whose damage lies in the pages that only the derivation reads', async () => {
    const path = await parquet(SOUND);
    const sound = readFileSync(path);
    writeFileSync(path, withNonsense(sound, Math.floor(sound.length * 0.6), 400));
    expect(await inspect(path)).toMatchObject({ kind: 'table' });

    const derived = await withDatabase({}, (database) =>
      writeSkinnyParts(database, path, folder, magnitudeProfile, recipe),
    );

    expect(derived).toEqual({ kind: 'unreadable', reason: expect.stringMatching(/./) });
  });

  it('does not blame the file when the engine has too little memory', async () => {
    const path = await parquet(SOUND.replace('5000', '500000'));

    const derived = withDatabase({ memoryLimit: '20MiB', threads: 1 }, (database) =>
      writeSkinnyParts(database, path, folder, magnitudeProfile, recipe),
    );

    await expect(derived).rejects.toThrow(/Out of Memory/);
  });
});

describe('readingFailure', () => {
  it('is the first line of what DuckDB says of a file', () => {
    expect(readingFailure(new Error('Invalid Input Error: no magic bytes\n\nLINE 1: SELECT'))).toBe(
      'Invalid Input Error: no magic bytes',
    );
  });

  it.each([
    'Out of Memory Error: failed to allocate data of size 16.0 MiB (19.9 MiB/20.0 MiB used)',
    'IO Error: Could not write file "/tmp/x": No space left on device',
    'INTERNAL Error: Attempted to access index 1 within vector of size 1',
  ])('throws what is no fault of the file: %s', (message) => {
    expect(() => readingFailure(new Error(message))).toThrow(message);
  });
});
