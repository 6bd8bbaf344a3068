import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CollectionSource, LocalFile } from '#adapters/collection-source.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { manifestPathSchema } from '#core/hats/manifest.ts';
import type { ObjectStore } from '#core/ports.ts';

/** A collection in a bucket: a file comes to this machine's disk when it is looked at, and goes again. */
export class StoredCollection implements CollectionSource {
  readonly #store: Pick<ObjectStore, 'list' | 'getBytes' | 'getFile'>;
  readonly #prefix: string;
  readonly #scratch: string;

  /** @param prefix of the collection's keys, with a slash at its end. @param scratch a folder for what is looked at. */
  constructor(store: Pick<ObjectStore, 'list' | 'getBytes' | 'getFile'>, prefix: string, scratch: string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#scratch = scratch;
  }

  /** @throws {InputError} `COLLECTION_MISSING`, or `KEY_UNUSABLE` for an object whose name is no plain path. */
  async files(): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for await (const { key, sizeBytes } of this.#store.list(this.#prefix)) {
      const inside = manifestPathSchema.safeParse(key.slice(this.#prefix.length));
      if (!inside.success) {
        const hint = 'Give the folder of one version.';
        throw new InputError(`${key} is no file of a collection`, { code: 'KEY_UNUSABLE', hint });
      }
      sizes.set(inside.data, sizeBytes);
    }
    if (sizes.size > 0) return sizes;
    const hint = 'Look at its spelling.';
    throw new InputError(`nothing lies below ${this.#prefix}`, { code: 'COLLECTION_MISSING', hint });
  }

  async bytes(path: string): Promise<Buffer | null> {
    const bytes = await this.#store.getBytes(`${this.#prefix}${path}`);
    return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** @throws {InputError} `DISK_TOO_SMALL`. */
  async withFile<T>(path: string, expected: Digest | null, use: (file: LocalFile) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(this.#scratch, 'file-'));
    try {
      const local = join(folder, 'file');
      const key = `${this.#prefix}${path}`;
      let { sha256 } = await this.#store.getFile(key, local);
      // What was damaged on its way is not damage of the collection: only what comes so twice is.
      if (expected !== null && sha256 !== expected) ({ sha256 } = await this.#store.getFile(key, local));
      return await use({ path: local, digest: async () => sha256 });
    } catch (error) {
      throw isFull(error) ? tooSmall(this.#scratch, path, error) : error;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

const isFull = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOSPC';

function tooSmall(scratch: string, path: string, cause: unknown): InputError {
  return new InputError(`${scratch} has no room for ${path}`, {
    code: 'DISK_TOO_SMALL',
    hint: 'Name a folder with room for a few partitions: --scratch <folder>.',
    cause,
  });
}
