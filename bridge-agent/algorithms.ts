import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { algorithmSchema, configurationDigest } from '#core/algorithm.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';

/** The registered algorithms of a folder: the digest of each one's configuration, by name. */
export async function readAlgorithms(folder: string): Promise<ReadonlyMap<string, Digest>> {
  const registered = new Map<string, Digest>();
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()) {
    const parsed = algorithmSchema.safeParse(JSON.parse(await readFile(join(folder, file), 'utf8')));
    if (!parsed.success) {
      throw new InputError(`${join(folder, file)} is not a valid algorithm: ${parsed.error.message}`, {
        code: 'ALGORITHM_INVALID',
        hint: 'Install the schemas folder of the same version as the agent.',
        cause: parsed.error,
      });
    }
    registered.set(parsed.data.name, configurationDigest(parsed.data));
  }
  return registered;
}
