import { type CollectionSource, FolderCollection } from '#adapters/collection-source.ts';
import { type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import { concludeVerification } from '#adapters/hats-conclusion.ts';
import { compareIds, idHolder } from '#adapters/hats-ids-check.ts';
import { type OutlineOptions, outlineCollection } from '#adapters/hats-outline.ts';
import { lookAtPartition } from '#adapters/hats-partition-check.ts';
import { divideIds } from '#core/hats/id-ranges.ts';
import { PartitionsBySky } from '#core/hats/margin-check.ts';
import { PART_KINDS } from '#core/hats/parts.ts';
import type { Finding, VerifyReport } from '#core/hats/verdict.ts';
import type { PartitionRecord } from '#core/hats/verification.ts';

interface VerifyProgress {
  /** `partitions` counts bytes of leaves, `ids` ranges of ids, `digests` bytes of the other files. */
  readonly stage: 'partitions' | 'ids' | 'digests';
  readonly done: number;
  readonly total: number;
}

export interface VerifyRequest extends OutlineOptions {
  /** Where the collection is, or its folder: the one with `collection.properties` and `manifest.json`. */
  readonly source: CollectionSource | string;
  /** What the plan or the delivery says. */
  readonly expectedRows?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Bounds of the engine. */
  readonly database?: DatabaseOptions;
}

/**
 * Checks all that can be checked of a delivered collection without the pipeline that made it: every digest, frame,
 * schema, row and id. It needs no account and no network, so the receiving side runs the same. HATS's own strict
 * validation accepts truncated and unsorted leaves, a zeroed index and wrong counts.
 *
 * Goes partition by partition, and so needs no more disk and memory than one takes. A campaign does the same steps in
 * functions of their own, many partitions at a time.
 *
 * What is wrong with the collection is in the report; rejects only when the engine has too little memory to
 * judge, or with an {@link InputError} `FOLDER_UNREADABLE`.
 */
export async function verifyCatalogue(request: VerifyRequest): Promise<VerifyReport> {
  const { database = {}, onProgress } = request;
  const source = typeof request.source === 'string' ? new FolderCollection(request.source) : request.source;
  const whole = await outlineCollection(source, request);
  const records: PartitionRecord[] = [];
  const repeated: Finding[] = [];
  const { outline, looks } = whole;
  if (outline !== null) {
    const surroundings = { source, outline, sky: new PartitionsBySky(outline.partitions) };
    const sizes = looks.map(({ files }) => Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    while (records.length < looks.length) {
      // Opening one takes 15 ms; one that met a damaged page may be of no more use.
      await withDatabase(database, async (opened) => {
        for (const look of looks.slice(records.length)) {
          const record = await lookAtPartition(surroundings, look, opened);
          done += sizes[records.push(record) - 1] ?? 0;
          onProgress?.({ stage: 'partitions', done, total });
          if (PART_KINDS.some((kind) => record.findings[kind].some(({ code }) => code === 'LEAF_UNREADABLE'))) return;
        }
      });
    }
    const ranges = divideIds(records.flatMap((record) => idHolder(record) ?? []));
    for (const [position, range] of ranges.entries()) {
      repeated.push(...(await compareIds(source, outline.folders, range, database)));
      onProgress?.({ stage: 'ids', done: position + 1, total: ranges.length });
    }
  }
  return await concludeVerification(
    whole,
    { records, repeated },
    {
      database,
      ...(request.expectedRows === undefined ? {} : { expectedRows: request.expectedRows }),
      onBytes: (done, total) => onProgress?.({ stage: 'digests', done, total }),
    },
  );
}
