/** `look.ts CHUNK FOLDER`: all that the function does with one chunk on its disk: digest, checks, parts, summary, list of ids. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { examineChunk } from '#adapters/chunk-examiner.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { writeIds } from '#adapters/id-writer.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { ChunkSummarizer } from '#adapters/summary-reader.ts';
import { PROFILE, RECIPE, withEngine } from '#bench/skinny/engine.ts';

const [chunk = '', folder = ''] = process.argv.slice(2);
await withEngine(folder, async (database) => {
  const sha256 = await fileDigest(chunk);
  const file = { path: chunk, sha256, sizeBytes: (await stat(chunk)).size };
  const examined = await examineChunk(database, file, { declaredSha256: sha256, manifest: null }, PROFILE, []);
  if (examined.kind === 'refused') throw new Error(examined.findings.map(({ sentence }) => sentence).join('; '));
  const { profile, relation } = examined.source;
  const summarizer = new ChunkSummarizer();
  const look = (rows: string) => summarizer.add(database, rows);
  const derived = await writeSkinnyParts(database, chunk, folder, profile, RECIPE, { source: relation, look });
  if (derived.kind === 'unreadable') throw new Error(derived.reason);
  const paths = derived.files.map(({ path }) => path);
  await writeIds(database, chunk, profile, paths, join(folder, 'ids.parquet'));
});
