import { chunkKey, chunkRowSchema, type PartRow } from '#core/chunk.ts';
import { readSummary } from '#core/chunk-summary.ts';
import type { ObjectStore } from '#core/ports.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';

/**
 * Whether a part's chunk has rows of a priority tract, by the summary that intake left. Every part has priority where no
 * tracts are declared. Parts of one chunk come one after the other, so only the last answer is kept.
 */
export function priorityOf(
  table: Table,
  lake: Pick<ObjectStore, 'getBytes'>,
  { release, campaign }: Pick<ReleaseSpec, 'release' | 'campaign'>,
): (part: Pick<PartRow, 'chunkId'>) => Promise<boolean> {
  const wanted = new Set(campaign.priorityTracts);
  let last = { chunkId: '', priority: true };
  return async ({ chunkId }) => {
    if (wanted.size === 0) return true;
    if (last.chunkId === chunkId) return last.priority;
    const { summary } = chunkRowSchema.parse(await table.get(chunkKey(release, chunkId)));
    const tracts = summary && (await readSummary(lake, summary)).values.tracts;
    last = { chunkId, priority: Object.keys(tracts?.rows ?? {}).some((tract) => wanted.has(tract)) };
    return last.priority;
  };
}
