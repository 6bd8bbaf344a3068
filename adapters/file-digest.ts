import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { asDigest, type Digest } from '#core/digest.ts';

/** The sha256 of a local file, read as a stream. */
export async function fileDigest(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return asDigest(hash.digest('hex'));
}
