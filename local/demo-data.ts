import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { digestSchema } from '#core/job.ts';
import { run } from '#local/process.ts';

const SCRIPT = fileURLToPath(new URL('demo_data.py', import.meta.url));

const manifestSchema = z.object({
  version: z.literal(1),
  release: z.literal('dc2-demo'),
  profile: z.literal('dc2-rail'),
  note: z.string(),
  keyNumbers: z.object({ rows: z.int() }),
  chunks: z.array(z.object({ name: z.string(), sha256: digestSchema, sizeBytes: z.int(), rows: z.int() })),
});

export interface DemoData {
  /** Holds the manifest and the chunks, nothing else: what a survey would upload. */
  readonly releaseFolder: string;
  readonly manifestPath: string;
  readonly manifest: z.infer<typeof manifestSchema>;
  /** Objects with redshifts, not among those of the catalogue. */
  readonly trainingPath: string;
  /** `id`, `redshift` of the catalogue's objects: for tests only, never uploaded. */
  readonly truthPath: string;
}

/**
 * Writes the demo's release below `folder`: the 20,449 galaxies of RAIL's DC2 validation file as object catalogue and
 * the 10,225 of its training file as training set. Equal bytes each time; some 2 s.
 * @throws {CommandFailed} when `python` is not the RAIL environment's interpreter.
 */
export async function makeDemoData(options: {
  /** The interpreter of the RAIL environment: the galaxies are in one of its packages. */
  readonly python: string;
  readonly folder: string;
  /** How many files the catalogue is split into. */
  readonly chunks?: number;
  readonly log: (line: string) => void;
}): Promise<DemoData> {
  const { python, folder, chunks = 6, log } = options;
  await run([python, SCRIPT, 'make', folder, String(chunks)]);
  const releaseFolder = join(folder, 'release');
  const manifestPath = join(releaseFolder, 'manifest.json');
  const manifest = manifestSchema.parse(JSON.parse(await readFile(manifestPath, 'utf8')));
  log(`the demo's catalogue: ${manifest.keyNumbers.rows} galaxies of DC2 in ${manifest.chunks.length} chunks`);
  return {
    releaseFolder,
    manifestPath,
    manifest,
    trainingPath: join(folder, 'training', 'training.parquet'),
    truthPath: join(folder, 'truth', 'truth.parquet'),
  };
}

/**
 * Copies a chunk with one bit of one magnitude changed: as long, as readable, and only its digest tells.
 * @throws {CommandFailed} when no such bit is found.
 */
export async function makeDamagedCopy(options: {
  readonly python: string;
  readonly source: string;
  readonly target: string;
}): Promise<void> {
  await run([options.python, SCRIPT, 'damage', options.source, options.target]);
}
