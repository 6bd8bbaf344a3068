import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KeepingStore } from '#adapters/keeping-store.ts';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { sha256 } from '#core/digest.ts';
import { objectStoreContract } from '#test/contracts/object-store.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ponte-keeping-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

objectStoreContract(
  'a store with copies',
  () => new KeepingStore(new MemoryObjectStore(), { folder: mkdtempSync(join(folder, 'kept-')), keeps: () => true }),
);

describe('copies', () => {
  const content = 'a skinny table';
  const digest = sha256(content);
  let lake: MemoryObjectStore;
  let kept: string;
  let brought: string[];
  let failures: string[];
  const store = (folderOf = kept) =>
    new KeepingStore(lake, {
      folder: folderOf,
      keeps: (key) => key.endsWith('.parquet'),
      onBrought: (sizeBytes, from) => brought.push(`${sizeBytes} ${from}`),
      onFailure: (path) => failures.push(path),
    });
  const copyPath = () => join(kept, digest.slice(0, 2), digest);
  const bring = async (key = 'a.parquet', from = store()) => {
    const path = join(kept, '..', `brought-${brought.length}-${failures.length}`);
    await from.getFile(key, path, digest);
    return readFileSync(path, 'utf8');
  };

  beforeEach(async () => {
    lake = new MemoryObjectStore();
    kept = mkdtempSync(join(folder, 'copies-'));
    [brought, failures] = [[], []];
    await lake.putBytes('a.parquet', Buffer.from(content), '');
  });

  it('are made of what comes, so that it comes once', async () => {
    expect(await bring()).toBe(content);
    expect(await bring()).toBe(content);

    expect(brought).toEqual(['14 store', '14 here']);
    expect(readdirSync(join(kept, digest.slice(0, 2)))).toEqual([digest]);
  });

  it('are made of what goes, and only of what is worth it', async () => {
    const path = join(kept, '..', 'made');
    writeFileSync(path, content);
    await store().putFile('b.parquet', path, digest);
    await bring('b.parquet');
    await store().putFile('c.hdf5', path, digest);

    expect(brought).toEqual(['14 here']);
    expect(readdirSync(kept)).toHaveLength(1);
  });

  it('that are damaged or cut short come again, and are mended', async () => {
    for (const damage of ['a skinny tablf', 'a skinny', '']) {
      await bring();
      writeFileSync(copyPath(), damage);
      brought = [];

      expect(await bring()).toBe(content);
      expect(brought).toEqual(['14 store']);
      expect(readFileSync(copyPath(), 'utf8')).toBe(content);
    }
  });

  it('never stand for an object that is gone or another', async () => {
    await bring();
    lake = new MemoryObjectStore();
    await expect(bring()).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
    await lake.putBytes('a.parquet', Buffer.from('another table'), '');
    await expect(bring()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('that cannot be made stop nothing', async () => {
    const file = join(kept, 'file');
    writeFileSync(file, '');

    expect(await bring('a.parquet', store(file))).toBe(content);
    expect(failures).toEqual([join(file, digest.slice(0, 2), digest)]);
  });
});
