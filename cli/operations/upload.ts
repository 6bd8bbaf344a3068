import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { fileDigest } from '#adapters/file-digest.ts';
import type { Cloud } from '#cli/context.ts';
import { readRelease } from '#core/chunk-book.ts';
import { InputError } from '#core/errors.ts';
import { chunkNameSchema, chunkObjectKey, manifestObjectKey } from '#core/release.ts';

export interface UploadedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** `kept`: the same bytes lie there already. */
  readonly outcome: 'uploaded' | 'kept';
}

const MANIFEST = 'manifest.json';

/**
 * Uploads files, or folders of files, as chunks of a release; `manifest.json` goes last. From then on nothing has to be
 * called: the upload itself starts the pipeline. Interrupted, it goes on where it was.
 */
export async function upload(
  cloud: Cloud,
  release: string,
  paths: readonly string[],
  options: {
    readonly again?: boolean;
    readonly onFile?: (file: UploadedFile, done: number, total: number) => void;
  } = {},
): Promise<readonly UploadedFile[]> {
  await readRelease(cloud.table, release);
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const ordered = [...files].sort((a, b) => Number(a.name === MANIFEST) - Number(b.name === MANIFEST));
  const uploaded: UploadedFile[] = [];
  for (const { name, path } of ordered) {
    const key = name === MANIFEST ? manifestObjectKey(release) : chunkObjectKey(release, name);
    const sha256 = await fileDigest(path);
    const there = options.again ? null : await cloud.landing.head(key);
    const outcome = there?.declaredSha256 === sha256 ? 'kept' : 'uploaded';
    if (outcome === 'uploaded') await cloud.landing.putFile(key, path, sha256);
    const file = { name, sizeBytes: (await stat(path)).size, sha256, outcome } as const;
    uploaded.push(file);
    options.onFile?.(file, uploaded.length, ordered.length);
  }
  return uploaded;
}

async function filesOf(path: string): Promise<readonly { name: string; path: string }[]> {
  const found = await stat(path).catch(() => null);
  if (!found) {
    throw new InputError(`there is no file or folder ${path}`, { code: 'FILE_MISSING', hint: 'Check the path.' });
  }
  if (found.isFile()) return [{ name: checkedName(basename(path)), path }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.sort().map((file) => ({ name: checkedName(relative(path, file).split(sep).join('/')), path: file }));
}

function checkedName(name: string): string {
  if (chunkNameSchema.safeParse(name).success) return name;
  throw new InputError(`the file name ${JSON.stringify(name)} cannot be a chunk's name`, {
    code: 'NAME_INVALID',
    hint: 'Letters, digits and . _ = - only, at most 300 characters; rename the file.',
  });
}
