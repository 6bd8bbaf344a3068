import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '#core/digest.ts';
import type { ObjectStore } from '#core/ports.ts';

const text = (bytes: string) => new TextEncoder().encode(bytes);

/** What the functions and the agent rely on, whichever store it is. `open` gives a bucket with versions. */
export function objectStoreContract(title: string, open: () => ObjectStore): void {
  describe(`${title} keeps the object store's contract`, () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'ponte-objects-'));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    /** A prefix that no other test knows. */
    const fresh = () => `test/${randomUUID()}`;
    const local = (bytes?: Uint8Array) => {
      const path = join(folder, randomUUID());
      if (bytes) writeFileSync(path, bytes);
      return path;
    };

    it.each([0, 1, 100_000])('gives back a file of %d bytes, by its reference', async (sizeBytes) => {
      const store = open();
      const bytes = randomBytes(sizeBytes);
      const key = `${fresh()}/file.bin`;

      const ref = await store.putFile(key, local(bytes), sha256(bytes));
      const path = local();
      const got = await store.getFile(ref.key, path, ref.sha256);

      expect(ref).toEqual({ key, sha256: sha256(bytes), sizeBytes });
      expect(got).toEqual({ sha256: ref.sha256, sizeBytes, etag: (await store.head(key))?.etag });
      expect(readFileSync(path).equals(bytes)).toBe(true);
      expect(await store.getBytes(key)).toEqual(new Uint8Array(bytes));
    });

    it('gives back a range of an object', async () => {
      const store = open();
      const { key } = await store.putBytes(fresh(), text('ids pixels summary'), 'text/plain');

      expect(await store.getBytes(key, { offsetBytes: 4, sizeBytes: 6 })).toEqual(text('pixels'));
      expect(await store.getBytes(key, { offsetBytes: 17, sizeBytes: 1 })).toEqual(text('y'));
      expect(await store.getBytes(fresh(), { offsetBytes: 0, sizeBytes: 1 })).toBeNull();
    });

    it('refuses a file that is not of the digest it is said to have, and stores nothing', async () => {
      const store = open();
      const key = fresh();

      const put = store.putFile(key, local(text('damaged')), sha256('sound'));

      await expect(put).rejects.toMatchObject({ name: 'TransientError', code: 'DIGEST_MISMATCH' });
      expect(await store.head(key)).toBeNull();
    });

    it('removes a download that is not of the expected digest', async () => {
      const store = open();
      const { key } = await store.putBytes(fresh(), text('replaced'), 'text/plain');
      const path = local();

      const got = store.getFile(key, path, sha256('expected'));

      await expect(got).rejects.toMatchObject({ name: 'TransientError', code: 'DIGEST_MISMATCH' });
      expect(existsSync(path)).toBe(false);
    });

    it('says so when there is no object', async () => {
      const store = open();
      const key = fresh();

      expect(await store.head(key)).toBeNull();
      expect(await store.getBytes(key)).toBeNull();
      await expect(store.getFile(key, local())).rejects.toMatchObject({ name: 'InputError', code: 'OBJECT_MISSING' });
    });

    it('declares the digest of what it stored, and keeps its own', async () => {
      const store = open();
      const ref = await store.putBytes(fresh(), text('content'), 'text/plain');

      expect(await store.head(ref.key)).toMatchObject({
        sizeBytes: 7,
        declaredSha256: ref.sha256,
        storedSha256: ref.sha256,
      });
    });

    it('replaces an object; equal bytes have an equal etag, and every upload a version that can still be read', async () => {
      const store = open();
      const key = fresh();
      const heads: Awaited<ReturnType<ObjectStore['head']>>[] = [];
      for (const content of ['one', 'two', 'one']) {
        await store.putBytes(key, text(content), 'text/plain');
        heads.push(await store.head(key));
      }
      const [one, two, again] = heads;

      expect(again?.etag).toBe(one?.etag);
      expect(two?.etag).not.toBe(one?.etag);
      expect(new Set(heads.map((head) => head?.versionId)).size).toBe(3);
      const path = local();
      await store.getFile(key, path, sha256('two'), two?.versionId ?? 'none');
      expect(readFileSync(path, 'utf8')).toBe('two');
      expect(await store.head(key, two?.versionId ?? 'none')).toEqual(two);
    });

    it('lists what is under a prefix in the order of the keys, past the thousand of a page', async () => {
      const store = open();
      const prefix = fresh();
      const keys = Array.from({ length: 1005 }, (_, index) => `${prefix}/n/${String(index).padStart(4, '0')}`);
      const others = [`${prefix}/m`, `${prefix}/n`, `${prefix}/o/0`];
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => store.putBytes(key, text('xy'), 'text/plain')));
      }
      for (const key of others) await store.putBytes(key, text('xy'), 'text/plain');

      const listed: { readonly key: string; readonly sizeBytes: number }[] = [];
      for await (const object of store.list(`${prefix}/n/`)) listed.push(object);

      expect(listed).toEqual(keys.map((key) => ({ key, sizeBytes: 2 })));
    });

    it('takes keys with all the characters that chunk names may have', async () => {
      const store = open();
      const key = `${fresh()}/Norder=0/Dir=0/a.b_c-d=e.parquet`;

      await store.putBytes(key, text('x'), 'text/plain');

      expect(await store.getBytes(key)).toEqual(text('x'));
    });
  });
}
