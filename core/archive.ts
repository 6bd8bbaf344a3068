import { partsOf, skinnyChunks } from '#core/campaign-book.ts';
import type { PartRow } from '#core/chunk.ts';
import { type JobResult, jobResultSchema, type ReturnedObject } from '#core/job.ts';
import type { ObjectStore } from '#core/ports.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
import { estimateRowKey, estimateRowSchema } from '#core/work.ts';

/** RAIL's own p(z) of one part by one algorithm, as qp HDF5; `object` is null where none was kept. */
export interface ArchivedPart {
  readonly algorithm: string;
  readonly chunk: string;
  readonly part: PartRow;
  readonly object: ReturnedObject | null;
}

/**
 * Every part of a campaign that has estimates, in the order of the chunks, per algorithm, with its archive. The table has
 * no rows of archives: they are listed by the result of the job that made the points.
 */
export async function* archivedParts(
  table: Table,
  lake: Pick<ObjectStore, 'getBytes' | 'list'>,
  { release, campaign: { algorithms } }: Pick<ReleaseSpec, 'release' | 'campaign'>,
  campaign: string,
): AsyncGenerator<ArchivedPart> {
  for (const algorithm of algorithms) {
    // Parts of one job mostly follow each other.
    let last: { readonly prefix: string; readonly outputs: readonly ReturnedObject[] } = { prefix: '', outputs: [] };
    for await (const { name, chunkId } of skinnyChunks(table, release)) {
      for await (const part of partsOf(table, release, chunkId)) {
        const row = await table.get(estimateRowKey(campaign, part.partId, algorithm));
        if (!row) continue;
        const { pk: _pk, sk: _sk, ...content } = row;
        const points = estimateRowSchema.parse(content);
        const prefix = points.key.slice(0, points.key.lastIndexOf(`/${part.partId}/`));
        if (prefix !== last.prefix) last = { prefix, outputs: await outputsOf(lake, prefix) };
        const object = last.outputs.find((output) => output.unitId === part.partId && output.name === 'archive');
        yield { algorithm, chunk: name, part, object: object ?? null };
      }
    }
  }
}

/** What a job left, by each of its results: one per lease of a site under which it came to an end. */
async function outputsOf(lake: Pick<ObjectStore, 'getBytes' | 'list'>, prefix: string) {
  const outputs: ReturnedObject[] = [];
  for await (const { key } of lake.list(`${prefix}/result`)) {
    const bytes = await lake.getBytes(key);
    const result: JobResult | null = bytes && jobResultSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
    outputs.push(...(result?.outputs ?? []));
  }
  return outputs;
}
