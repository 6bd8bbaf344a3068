import type { Digest } from '#core/digest.ts';
import type { ObjectRef } from '#core/job.ts';
import { scan, type Table } from '#core/table.ts';
import { estimateRowKey, estimateRowSchema, posteriorRowKey } from '#core/work.ts';

type ByAlgorithm = Record<string, ObjectRef>;

/** What a campaign has of one part: an algorithm that failed on it is not there, nor is p(z) that was not kept. */
export interface PartOutputs {
  readonly points: ByAlgorithm;
  readonly pdfs: ByAlgorithm;
}

/** Two queries, however many algorithms there are; in their order. */
export async function readPartOutputs(
  table: Table,
  campaign: string,
  partId: Digest,
  algorithms: readonly string[],
): Promise<PartOutputs> {
  const read = async (keyOf: typeof estimateRowKey): Promise<ByAlgorithm> => {
    const { pk, sk: prefix } = keyOf(campaign, partId, '');
    const found = new Map<string, ObjectRef>();
    for await (const { pk: _pk, sk, ...row } of scan(table, pk, prefix)) {
      const { key, sha256, sizeBytes } = estimateRowSchema.parse(row);
      found.set(sk.slice(prefix.length), { key, sha256, sizeBytes });
    }
    return Object.fromEntries(
      algorithms.flatMap((name) => {
        const ref = found.get(name);
        return ref ? [[name, ref]] : [];
      }),
    );
  };
  return { points: await read(estimateRowKey), pdfs: await read(posteriorRowKey) };
}

/** Bytes of the larger of the two tables that a part becomes: its p(z), or its points where no p(z) were kept. */
export function largerBytes({ points, pdfs }: PartOutputs): number {
  const bytesOf = (refs: ByAlgorithm) => Object.values(refs).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return Math.max(bytesOf(points), bytesOf(pdfs));
}
