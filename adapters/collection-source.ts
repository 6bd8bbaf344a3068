import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest } from '#adapters/file-digest.ts';
import { filesBelow } from '#adapters/hats-manifest.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';

/** A file on this machine, for as long as it is used. */
export interface LocalFile {
  readonly path: string;
  digest(): Promise<Digest>;
}

/** Where a delivered collection lies; paths are relative to its folder. */
export interface CollectionSource {
  /** The size of every file, by path. */
  files(): Promise<ReadonlyMap<string, number>>;
  /** A whole small file; null when it is not there. */
  bytes(path: string): Promise<Buffer | null>;
  /**
   * Has one file on this machine while `use` works with it.
   * @param expected its digest, where that is known: what comes over a network as something else is brought again.
   */
  withFile<T>(path: string, expected: Digest | null, use: (file: LocalFile) => Promise<T>): Promise<T>;
}

/** A collection in a folder of this machine. Its files are used where they lie. */
export class FolderCollection implements CollectionSource {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws {InputError} `FOLDER_UNREADABLE`. */
  async files(): Promise<ReadonlyMap<string, number>> {
    const paths = await filesBelow(this.#folder).catch((cause: unknown) => {
      throw unreadableFolder(this.#folder, cause);
    });
    const sizes = new Map<string, number>();
    // Of a link, not of what it points to: a delivery has none.
    for (const path of paths) sizes.set(path, (await lstat(join(this.#folder, path))).size);
    return sizes;
  }

  async bytes(path: string): Promise<Buffer | null> {
    try {
      return await readFile(join(this.#folder, path));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  withFile<T>(path: string, _expected: Digest | null, use: (file: LocalFile) => Promise<T>): Promise<T> {
    const local = join(this.#folder, path);
    return use({ path: local, digest: () => fileDigest(local) });
  }
}

/** All of several files at a time. */
export async function withFiles<K extends string, T>(
  source: CollectionSource,
  wanted: readonly { readonly name: K; readonly path: string; readonly expected: Digest | null }[],
  use: (files: ReadonlyMap<K, LocalFile>) => Promise<T>,
): Promise<T> {
  const held = new Map<K, LocalFile>();
  const next = async (position: number): Promise<T> => {
    const file = wanted[position];
    if (file === undefined) return use(held);
    return source.withFile(file.path, file.expected, (local) => {
      held.set(file.name, local);
      return next(position + 1);
    });
  };
  return next(0);
}

function unreadableFolder(folder: string, cause: unknown): InputError {
  return new InputError(`cannot list the files below ${folder}`, {
    code: 'FOLDER_UNREADABLE',
    hint: 'give the folder of a delivered collection, the one with collection.properties',
    cause,
  });
}
