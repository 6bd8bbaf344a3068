import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { asDigest, type Digest } from '#core/digest.ts';

/** The sha256 of a local file, read as a stream. */
export async function fileDigest(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return asDigest(hash.digest('hex'));
}

/** Whether a local file is there with this content; one of another size is not read. */
export async function isFileOf(
  path: string,
  { sizeBytes, sha256 }: { readonly sizeBytes: number; readonly sha256: Digest },
): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.size === sizeBytes && (await fileDigest(path)) === sha256;
}
