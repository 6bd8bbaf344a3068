import { type FileHandle, open } from 'node:fs/promises';
import type { CollectionSource } from '#adapters/collection-source.ts';
import { sha256 } from '#core/digest.ts';
import { type Footer, metadataFrame } from '#core/hats/footer.ts';
import { METADATA } from '#core/hats/layout.ts';
import type { Findings } from '#core/hats/verdict.ts';
import type { NamedFooter } from '#core/hats/verification.ts';

/**
 * Compares `_metadata` with what the leaves give, piece by piece: of a survey it has a gigabyte, and what each leaf
 * adds to it is known by its digest. All leaves whose footer could be read, in sky order.
 */
export async function checkMetadata(
  source: CollectionSource,
  folder: string,
  files: ReadonlyMap<string, number>,
  first: Footer,
  leaves: readonly { readonly footer: NamedFooter }[],
  findings: Findings,
): Promise<void> {
  const sum = (of: (footer: NamedFooter) => number) => leaves.reduce((total, { footer }) => total + of(footer), 0);
  const sizeBytes = sum(({ metadata }) => metadata.sizeBytes);
  const { head, tail } = metadataFrame(first, {
    rows: sum(({ rows }) => rows),
    rowGroups: sum(({ rowGroups }) => rowGroups),
    sizeBytes,
  });
  const pieces = [
    { sizeBytes: head.length, sha256: sha256(head) },
    ...leaves.map(({ footer }) => footer.metadata),
    { sizeBytes: tail.length, sha256: sha256(tail) },
  ];
  const expected = head.length + sizeBytes + tail.length;
  const path = `${folder}/${METADATA}`;
  const actual = files.get(path);
  const same =
    actual === expected &&
    (await source.withFile(path, null, async (file) => {
      const opened = await open(file.path, 'r');
      try {
        return await consistsOf(opened, pieces);
      } finally {
        await opened.close();
      }
    }));
  if (same) return;
  const found = actual === undefined ? 'It is not there' : `It has ${actual} bytes`;
  findings.add('METADATA_DIFFERS', path, `${found}; made anew it has ${expected} others.`);
}

async function consistsOf(file: FileHandle, pieces: readonly NamedFooter['metadata'][]): Promise<boolean> {
  let position = 0;
  for (const piece of pieces) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(piece.sizeBytes), 0, piece.sizeBytes, position);
    if (bytesRead !== piece.sizeBytes || sha256(buffer) !== piece.sha256) return false;
    position += piece.sizeBytes;
  }
  return true;
}
