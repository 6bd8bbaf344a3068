import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileDigest, isFileOf } from '#adapters/file-digest.ts';
import type { Throttle } from '#adapters/throttle.ts';
import type { Destination } from '#core/destination.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';

const PIECE_BYTES = 4 * 1024 * 1024;

/** A folder, for instance on a mounted file system. A file grows under another name, and is renamed when it is whole. */
export class FolderDestination implements Destination {
  readonly name: string;
  readonly #root: string;
  readonly #source: string;
  readonly #throttle: Throttle;

  constructor(name: string, root: string, source: string, throttle: Throttle) {
    this.name = name;
    this.#root = root;
    this.#source = source;
    this.#throttle = throttle;
  }

  holds(key: string, file: ManifestFile): Promise<boolean> {
    return isFileOf(join(this.#root, key), file);
  }

  async put(key: string, file: ManifestFile, onBytes: (bytes: number) => void): Promise<void> {
    const path = join(this.#root, key);
    const partial = `${path}.partial`;
    await mkdir(dirname(path), { recursive: true });
    await this.#write(partial, file, onBytes);
    if ((await fileDigest(partial)) !== file.sha256) {
      // What another source, or a crash of the machine, had left there was no beginning of this file.
      await rm(partial);
      await this.#write(partial, file, () => {});
    }
    if ((await fileDigest(partial)) === file.sha256) await rename(partial, path);
    await syncFolder(dirname(path));
  }

  async #write(partial: string, file: ManifestFile, onBytes: (bytes: number) => void): Promise<void> {
    const source = await open(join(this.#source, file.path), 'r');
    try {
      const target = await open(partial, 'a+');
      try {
        await this.#grow(source, target, onBytes);
        await target.sync();
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  }

  async #grow(source: FileHandle, target: FileHandle, onBytes: (bytes: number) => void): Promise<void> {
    let { size: at } = await target.stat();
    onBytes(at);
    const piece = Buffer.alloc(PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await source.read(piece, 0, piece.length, at);
      if (bytesRead === 0) return;
      await this.#throttle.take(bytesRead);
      await target.writeFile(piece.subarray(0, bytesRead));
      at += bytesRead;
      onBytes(bytesRead);
    }
  }

  async readDocument(key: string): Promise<unknown> {
    try {
      return JSON.parse(await readFile(join(this.#root, key), 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  async writeDocument(key: string, document: unknown): Promise<void> {
    const path = join(this.#root, key);
    const partial = `${path}.${randomUUID()}.partial`;
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(partial, 'w');
    await handle.writeFile(`${JSON.stringify(document)}\n`);
    await handle.sync();
    await handle.close();
    await rename(partial, path);
    await syncFolder(dirname(path));
  }
}

/** Only then a rename survives a crash of the machine. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
