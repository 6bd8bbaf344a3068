import { readFile, rm, writeFile } from 'node:fs/promises';
import { type Digest, sha256 } from '#core/digest.ts';
import { InputError, TransientError } from '#core/errors.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ByteRange } from '#core/object-slice.ts';
import type { ObjectHead, ObjectStore } from '#core/ports.ts';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly sha256: Digest;
  readonly versionId: string;
}

/** One bucket in memory, with versions. */
export class MemoryObjectStore implements ObjectStore {
  /** Key -> its versions, the current one last. */
  readonly #objects = new Map<string, StoredObject[]>();
  #versions = 0;

  async putFile(key: string, path: string, expected: Digest): Promise<ObjectRef> {
    const bytes = await readFile(path);
    if (sha256(bytes) === expected) return this.#put(key, bytes);
    throw new TransientError(`${path} does not have the sha256 ${expected}`, {
      code: 'DIGEST_MISMATCH',
      hint: 'It changed after its digest was taken, or it was read wrong; nothing is stored.',
    });
  }

  async putBytes(key: string, bytes: Uint8Array, _contentType: string): Promise<ObjectRef> {
    return this.#put(key, Uint8Array.from(bytes));
  }

  async getFile(key: string, path: string, expected?: Digest, versionId?: string | null) {
    const object = this.#find(key, versionId);
    if (!object) {
      throw new InputError(`there is no object ${key}`, {
        code: 'OBJECT_MISSING',
        hint: 'It was removed or never uploaded; upload it again.',
      });
    }
    if (expected !== undefined && object.sha256 !== expected) {
      await rm(path, { force: true });
      throw new TransientError(`${key} has sha256 ${object.sha256}, not the expected ${expected}`, {
        code: 'DIGEST_MISMATCH',
        hint: 'The download was damaged, or the object was replaced; what was downloaded is removed.',
      });
    }
    await writeFile(path, object.bytes);
    return { sha256: object.sha256, sizeBytes: object.bytes.byteLength, etag: etagOf(object) };
  }

  async getBytes(key: string, range?: ByteRange): Promise<Uint8Array | null> {
    const object = this.#find(key);
    const { offsetBytes, sizeBytes } = range ?? { offsetBytes: 0, sizeBytes: Number.POSITIVE_INFINITY };
    return object ? Uint8Array.from(object.bytes.subarray(offsetBytes, offsetBytes + sizeBytes)) : null;
  }

  async head(key: string, versionId?: string | null): Promise<ObjectHead | null> {
    const object = this.#find(key, versionId);
    if (!object) return null;
    return {
      sizeBytes: object.bytes.byteLength,
      etag: etagOf(object),
      versionId: object.versionId,
      declaredSha256: object.sha256,
      storedSha256: object.sha256,
    };
  }

  async *list(prefix: string) {
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
      yield { key, sizeBytes: this.#find(key)?.bytes.byteLength ?? 0 };
    }
  }

  #put(key: string, bytes: Uint8Array): ObjectRef {
    this.#versions += 1;
    const object = { bytes, sha256: sha256(bytes), versionId: String(this.#versions) };
    this.#objects.set(key, [...(this.#objects.get(key) ?? []), object]);
    return { key, sha256: object.sha256, sizeBytes: bytes.byteLength };
  }

  #find(key: string, versionId?: string | null): StoredObject | undefined {
    const versions = this.#objects.get(key) ?? [];
    return versionId ? versions.find((object) => object.versionId === versionId) : versions.at(-1);
  }
}

const etagOf = (object: StoredObject) => `"${object.sha256.slice(0, 32)}"`;
