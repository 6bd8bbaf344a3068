import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3ObjectStore } from '#adapters/s3-object-store.ts';

/** The files of a collection, a piece at a time. */
export interface FileSource {
  /** So many bytes from an offset on; fewer only where the file ends before. */
  read(path: string, from: number, length: number): Promise<Buffer>;
}

/** A collection in a folder. */
export class FolderSource implements FileSource {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(path: string, from: number, length: number): Promise<Buffer> {
    const file = await open(join(this.#folder, path), 'r');
    try {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await file.read(bytes, 0, length, from);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}

/** A collection in a bucket, below a prefix that ends with a slash. */
export class BucketSource implements FileSource {
  readonly #store: Pick<S3ObjectStore, 'getRange'>;
  readonly #prefix: string;

  constructor(store: Pick<S3ObjectStore, 'getRange'>, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  /** No range of an empty object can be asked for. */
  async read(path: string, from: number, length: number): Promise<Buffer> {
    return length === 0 ? Buffer.alloc(0) : await this.#store.getRange(`${this.#prefix}${path}`, from, length);
  }
}
