import { readdir, stat, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileDigest } from '#adapters/file-digest.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { type Manifest, type ManifestFile, manifestSchema, renderManifest } from '#core/hats/manifest.ts';

export interface ManifestFacts {
  readonly collection: string;
  readonly rows: number;
  readonly about?: Manifest['about'];
  /**
   * Files whose digests are known, by path relative to the collection's folder. They are taken at their word and need
   * not be on this machine: so a manifest can be written where only the small files are.
   */
  readonly known?: Iterable<ManifestFile>;
}

/**
 * Writes `manifest.json` over all known files and all files below `folder`, hashing those that are not known.
 * @returns the manifest and the digest of its bytes, which the delivery record should keep.
 */
export async function writeManifest(
  folder: string,
  facts: ManifestFacts,
): Promise<{ readonly manifest: Manifest; readonly sha256: Digest; readonly sizeBytes: number }> {
  const files = new Map<string, ManifestFile>();
  for (const { path, sha256: digest, sizeBytes } of facts.known ?? []) {
    files.set(path, { path, sha256: digest, sizeBytes });
  }
  for (const path of await filesBelow(folder)) {
    if (path === MANIFEST || files.has(path)) continue;
    const { size } = await stat(join(folder, path));
    files.set(path, { path, sha256: await fileDigest(join(folder, path)), sizeBytes: size });
  }
  const { collection, rows, about = {} } = facts;
  const manifest = manifestSchema.parse({ version: 1, collection, rows, about, files: [...files.values()] });
  const text = renderManifest(manifest);
  await writeFile(join(folder, MANIFEST), text);
  return { manifest, sha256: sha256(text), sizeBytes: Buffer.byteLength(text) };
}

/** The paths of all files below a folder, relative to it, with `/`; sorted. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}
