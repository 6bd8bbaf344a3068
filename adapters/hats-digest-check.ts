import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest } from '#adapters/file-digest.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { type Manifest, manifestSchema } from '#core/hats/manifest.ts';
import type { Findings } from '#core/hats/verdict.ts';

/**
 * Reads the manifest and compares every file with it. Only this notices a flipped bit in a data page: DuckDB reads
 * 199 of 200 such files without complaint.
 *
 * @param present paths of all files of the collection.
 * @param expected the digest of the manifest itself, when the caller knows it.
 * @param onBytes called with the bytes hashed so far and in all.
 * @returns the manifest, or null when there is none to rely on.
 */
export async function checkDigests(
  folder: string,
  present: readonly string[],
  expected: Digest | undefined,
  findings: Findings,
  onBytes: (done: number, total: number) => void,
): Promise<Manifest | null> {
  const manifest = await readManifest(folder, present, expected, findings);
  if (manifest === null) return null;
  const there = new Set(present);
  const total = manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let done = 0;
  for (const file of manifest.files) {
    if (!there.has(file.path))
      findings.add('FILE_MISSING', file.path, 'The manifest names this file; it is not there.');
    else await checkFile(folder, file, findings);
    done += file.sizeBytes;
    onBytes(done, total);
  }
  const named = new Set(manifest.files.map(({ path }) => path));
  for (const path of present) {
    if (path !== MANIFEST && !named.has(path))
      findings.add('FILE_STRAY', path, 'The manifest does not name this file.');
  }
  return manifest;
}

async function readManifest(
  folder: string,
  present: readonly string[],
  expected: Digest | undefined,
  findings: Findings,
): Promise<Manifest | null> {
  if (!present.includes(MANIFEST)) {
    findings.add('MANIFEST_MISSING', MANIFEST, 'There is no manifest, so no file can be compared with its digest.');
    return null;
  }
  const bytes = await readFile(join(folder, MANIFEST));
  const actual = sha256(bytes);
  if (expected !== undefined && actual !== expected) {
    findings.add('MANIFEST_REPLACED', MANIFEST, `Its sha256 is ${actual}, the delivery recorded ${expected}.`);
  }
  const parsed = manifestSchema.safeParse(jsonOrNull(bytes.toString('utf8')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const detail = issue ? `${issue.path.join('.') || 'the document'}: ${issue.message}` : 'unknown';
  findings.add('MANIFEST_UNREADABLE', MANIFEST, `It is not a manifest of version 1 (${detail}).`);
  return null;
}

async function checkFile(folder: string, file: Manifest['files'][number], findings: Findings): Promise<void> {
  const path = join(folder, file.path);
  // Of a link, not of what it points to: a delivery has none.
  const { size } = await lstat(path);
  if (size !== file.sizeBytes) {
    findings.add('FILE_SIZE', file.path, `It has ${size} bytes, the manifest says ${file.sizeBytes}.`);
    return;
  }
  const actual = await fileDigest(path);
  if (actual !== file.sha256) {
    findings.add('FILE_DIGEST', file.path, `Its sha256 is ${actual}, the manifest says ${file.sha256}.`);
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
