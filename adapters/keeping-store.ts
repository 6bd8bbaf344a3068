import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isFileOf } from '#adapters/file-digest.ts';
import type { Digest } from '#core/digest.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ByteRange } from '#core/object-slice.ts';
import { holds, type ObjectHead, type ObjectStore } from '#core/ports.ts';

export interface KeepingOptions {
  /** Where the copies lie, by digest; made when it is not there. */
  readonly folder: string;
  /** Whether an object is worth a copy. */
  readonly keeps: (key: string) => boolean;
  /** A copy is a convenience: when it cannot be made, the work goes on. */
  readonly onFailure?: (path: string, error: unknown) => void;
  /** What was asked for, and whether it lay here. */
  readonly onBrought?: (sizeBytes: number, from: 'here' | 'store') => void;
}

/**
 * A store that keeps local copies of what goes to it and comes from it, so that nothing has to come a second time: what is
 * read out of the cloud is paid for by the byte. A copy counts only with its digest; a damaged one is replaced.
 */
export class KeepingStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #options: KeepingOptions;

  constructor(store: ObjectStore, options: KeepingOptions) {
    this.#store = store;
    this.#options = options;
  }

  async putFile(key: string, path: string, sha256: Digest): Promise<ObjectRef> {
    // Before, so that there is a copy of all that arrived, even when this process ends between the two.
    if (this.#options.keeps(key)) await this.#keep({ sha256, sizeBytes: (await stat(path)).size }, path);
    return this.#store.putFile(key, path, sha256);
  }

  async getFile(key: string, path: string, expected?: Digest, versionId?: string | null) {
    const { keeps, onBrought } = this.#options;
    if (expected === undefined || !keeps(key)) return this.#store.getFile(key, path, expected, versionId);
    // What the store has under this key, so that a copy never stands for an object that is gone.
    const head = existsSync(this.#pathOf(expected)) ? await this.#store.head(key, versionId) : null;
    const wanted = head && { sha256: expected, sizeBytes: head.sizeBytes };
    if (wanted && holds(head, wanted) && (await isFileOf(this.#pathOf(expected), wanted))) {
      await copyFile(this.#pathOf(expected), path);
      onBrought?.(head.sizeBytes, 'here');
      return { ...wanted, etag: head.etag };
    }
    const got = await this.#store.getFile(key, path, expected, versionId);
    onBrought?.(got.sizeBytes, 'store');
    await this.#keep(got, path);
    return got;
  }

  putBytes(key: string, bytes: Uint8Array, contentType: string): Promise<ObjectRef> {
    return this.#store.putBytes(key, bytes, contentType);
  }

  getBytes(key: string, range?: ByteRange): Promise<Uint8Array | null> {
    return this.#store.getBytes(key, range);
  }

  head(key: string, versionId?: string | null): Promise<ObjectHead | null> {
    return this.#store.head(key, versionId);
  }

  list(prefix: string): AsyncIterable<{ readonly key: string; readonly sizeBytes: number }> {
    return this.#store.list(prefix);
  }

  /** Spread over folders, because a release has millions of parts. */
  #pathOf(sha256: Digest): string {
    return join(this.#options.folder, sha256.slice(0, 2), sha256);
  }

  /** Whole or not at all: a copy appears under its name when it is complete. */
  async #keep(file: Pick<ObjectRef, 'sha256' | 'sizeBytes'>, path: string): Promise<void> {
    const kept = this.#pathOf(file.sha256);
    const draft = `${kept}.${process.pid}.part`;
    try {
      if (await isFileOf(kept, file)) return;
      await mkdir(dirname(kept), { recursive: true });
      await copyFile(path, draft);
      await rename(draft, kept);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      this.#options.onFailure?.(kept, error);
    }
  }
}
