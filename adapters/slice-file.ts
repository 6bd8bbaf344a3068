import { createReadStream, createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileDigest } from '#adapters/file-digest.ts';
import { sha256 } from '#core/digest.ts';
import type { ObjectSlice } from '#core/object-slice.ts';
import type { ObjectStore } from '#core/ports.ts';

/** A local file that becomes one object of several slices; they can be referred to before it is uploaded. */
export class SliceFile {
  readonly #path: string;
  readonly #key: string;
  #sizeBytes = 0;

  /** @param key where it will be uploaded to. */
  constructor(path: string, key: string) {
    this.#path = path;
    this.#key = key;
  }

  async addBytes(bytes: Uint8Array): Promise<ObjectSlice> {
    await writeFile(this.#path, bytes, { flag: 'a' });
    return this.#added({ sha256: sha256(bytes), sizeBytes: bytes.byteLength });
  }

  async addJson(value: unknown): Promise<ObjectSlice> {
    return await this.addBytes(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  }

  async addFile(path: string): Promise<ObjectSlice> {
    const digest = await fileDigest(path);
    const to = createWriteStream(this.#path, { flags: 'a' });
    await pipeline(createReadStream(path), to);
    return this.#added({ sha256: digest, sizeBytes: to.bytesWritten });
  }

  async upload(store: Pick<ObjectStore, 'putFile'>): Promise<void> {
    await store.putFile(this.#key, this.#path, await fileDigest(this.#path));
  }

  #added(content: Pick<ObjectSlice, 'sha256' | 'sizeBytes'>): ObjectSlice {
    const slice = { key: this.#key, ...content, offsetBytes: this.#sizeBytes };
    this.#sizeBytes += content.sizeBytes;
    return slice;
  }
}
