import type { Cloud } from '#cli/context.ts';
import { chunksOf } from '#cli/operations/look.ts';
import { findSharedIds } from '#cli/operations/shared-ids.ts';
import { RELEASE_CHECK_NAMES, releaseRuleFor } from '#core/checks.ts';
import type { ChunkRow } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import { readSummary } from '#core/chunk-summary.ts';
import type { Headline } from '#core/headline.ts';
import { refuses } from '#core/integrity.ts';
import { readKeyNumbers } from '#core/key-numbers.ts';
import type { ObjectSlice } from '#core/object-slice.ts';
import type { ObjectStore } from '#core/ports.ts';
import { releaseKey } from '#core/release.ts';
import { headlineOf } from '#core/report/release-headline.ts';
import { ReleaseMerger, type ReleaseReport } from '#core/report/release-summary.ts';
import type { ChunkIds } from '#core/shared-ids.ts';
import { ROW_EXISTS } from '#core/table.ts';

/** Summaries that are fetched at a time: 10 to 50 kB each. */
const AT_A_TIME = 16;

/** Merges what intake left of each usable chunk; the data itself is not read again. */
export async function releaseReport(
  cloud: Pick<Cloud, 'table'> & { readonly lake: Pick<ObjectStore, 'getBytes'> },
  name: string,
  say: (line: string) => void = () => {},
): Promise<ReleaseReport> {
  const { release, spec, manifestState, expectedChunks, expectedRows } = await readRelease(cloud.table, name);
  const rules = spec.profile.releaseChecks;
  const merger = new ReleaseMerger(releaseRuleFor('DEPTH_DRIFT', rules));
  const lists: ChunkIds[] = [];
  let read = 0;
  const states: Record<string, number> = {};
  const quarantined: ChunkRow[] = [];
  const flagged: ChunkRow[] = [];
  let waiting: ObjectSlice[] = [];
  const drain = async () => {
    for (const summary of await Promise.all(waiting.map((ref) => readSummary(cloud.lake, ref)))) {
      merger.add(summary);
      if (summary.ids) lists.push({ name: summary.name, ids: summary.ids });
      read += 1;
      if (read % 1000 === 0) say(`merged the summaries of ${read} chunks`);
    }
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
  const { limit } = releaseRuleFor('ID_SHARED', rules);
  const shared = (await findSharedIds(cloud.lake, lists, say)).filter(({ objects }) => objects > limit);
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
    shared,
    published: (await readKeyNumbers(cloud.table, name))?.numbers ?? null,
    noted: RELEASE_CHECK_NAMES.filter((check) => releaseRuleFor(check, rules).severity === 'note'),
  };
}

/** Keeps the report's headline with the release's metadata, where `ponte release show` finds it. */
export async function keepHeadline(
  { table }: Pick<Cloud, 'table'>,
  report: ReleaseReport,
  now: Date,
): Promise<Headline> {
  const headline = headlineOf(report, now.toISOString());
  const set = { headline: { ...headline, depth: { ...headline.depth } } };
  await table.write([{ kind: 'update', key: releaseKey(report.release), set, when: [ROW_EXISTS] }]);
  return headline;
}
