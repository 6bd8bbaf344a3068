import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileDigest } from '#adapters/file-digest.ts';
import { readFooterTail } from '#adapters/parquet-footer.ts';
import type { Digest } from '#core/digest.ts';

/** A Parquet file that appeared whole under its name. */
export interface WrittenLeaf {
  /** Relative to the folder it was written in. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: Digest;
  /** How much of the file's end holds its footer: all that finishing the catalogue needs of it. */
  readonly tailBytes: number;
}

/** Lets `write` fill a file and gives it its name when it is whole; otherwise leaves nothing. */
export async function writeLeaf(
  folder: string,
  path: string,
  write: (partial: string) => Promise<void>,
): Promise<WrittenLeaf> {
  const target = join(folder, path);
  const partial = `${target}.${process.pid}.partial`;
  await mkdir(dirname(target), { recursive: true });
  try {
    await write(partial);
    const sha256 = await fileDigest(partial);
    const { size: sizeBytes } = await stat(partial);
    const { length: tailBytes } = await readFooterTail(partial);
    await rename(partial, target);
    return { path, sizeBytes, sha256, tailBytes };
  } finally {
    await rm(partial, { force: true });
  }
}
