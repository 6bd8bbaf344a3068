import type { Cloud } from '#cli/context.ts';
import { chunksOf } from '#cli/operations/look.ts';
import type { ChunkRow } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import { type ChunkSummary, chunkSummarySchema } from '#core/chunk-summary.ts';
import { sha256 } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import { refuses } from '#core/integrity.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ObjectStore } from '#core/ports.ts';
import { ReleaseMerger, type ReleaseReport } from '#core/report/release-summary.ts';

/** Summaries that are fetched at a time: 10 to 50 kB each. */
const AT_A_TIME = 16;

/** Merges what intake left of each usable chunk; the data itself is not read again. */
export async function releaseReport(
  cloud: Pick<Cloud, 'table'> & { readonly lake: Pick<ObjectStore, 'getBytes'> },
  name: string,
): Promise<ReleaseReport> {
  const { release, spec, manifestState, expectedChunks, expectedRows } = await readRelease(cloud.table, name);
  const merger = new ReleaseMerger();
  const states: Record<string, number> = {};
  const quarantined: ChunkRow[] = [];
  const flagged: ChunkRow[] = [];
  let waiting: ObjectRef[] = [];
  const drain = async () => {
    for (const summary of await Promise.all(waiting.map((ref) => readSummary(cloud.lake, ref)))) merger.add(summary);
    waiting = [];
  };
  for await (const chunk of chunksOf(cloud, name)) {
    states[chunk.state] = (states[chunk.state] ?? 0) + 1;
    if (chunk.state === 'quarantined') quarantined.push(chunk);
    if (chunk.state === 'quarantined' || chunk.state === 'superseded' || !chunk.summary) continue;
    if (chunk.findings.some((finding) => !refuses(finding))) flagged.push(chunk);
    waiting.push(chunk.summary);
    if (waiting.length >= AT_A_TIME) await drain();
  }
  await drain();
  const byName = (a: ChunkRow, b: ChunkRow) => (a.name < b.name ? -1 : 1);
  return {
    release,
    title: spec.title,
    profile: spec.profile.name,
    recipe: spec.recipe.name,
    expected: manifestState === 'complete' ? { chunks: expectedChunks, rows: expectedRows } : null,
    states,
    quarantined: quarantined.sort(byName),
    flagged: flagged.sort(byName),
    summary: merger.result(),
  };
}

async function readSummary(lake: Pick<ObjectStore, 'getBytes'>, ref: ObjectRef): Promise<ChunkSummary> {
  const bytes = await lake.getBytes(ref.key);
  if (bytes && sha256(bytes) === ref.sha256)
    return chunkSummarySchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  throw new TransientError(`the summary ${ref.key} is ${bytes ? 'not the one referred to' : 'missing'}`, {
    code: 'DIGEST_MISMATCH',
    hint: 'Upload the chunk again, with --again, to have it made again; nothing but this report depends on it.',
  });
}
