/** `derive.ts CHUNK FOLDER [summary]`: the parts as intake derives them, with `summary` also what the release's report needs. */
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { ChunkSummarizer } from '#adapters/summary-reader.ts';
import { PROFILE, RECIPE, withEngine } from '#bench/skinny/engine.ts';

const [chunk = '', folder = '', what] = process.argv.slice(2);
await withEngine(folder, async (database) => {
  const summarizer = new ChunkSummarizer();
  const look = (rows: string) => summarizer.add(database, rows);
  const derived = await writeSkinnyParts(database, chunk, folder, PROFILE, RECIPE, what === 'summary' ? { look } : {});
  if (derived.kind === 'unreadable') throw new Error(derived.reason);
});
