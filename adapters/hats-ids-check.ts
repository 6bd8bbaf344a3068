import { z } from 'zod';
import type { CollectionSource } from '#adapters/collection-source.ts';
import { type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import type { IdHolder } from '#core/hats/id-ranges.ts';
import { inRangeSql, repeatedIdsSql } from '#core/hats/leaf-check.ts';
import { partLeafPath } from '#core/hats/parts.ts';
import { type Finding, Findings } from '#core/hats/verdict.ts';
import { footerOf, type IdRange, type Outline, type PartitionRecord } from '#core/hats/verification.ts';
import { parquetRelation } from '#core/sql.ts';

/**
 * Where a partition's ids are, and in which of its files; null when it has none that can be read. The index is a
 * twentieth of the leaf, and good enough where it was found to be the leaf's.
 */
export function idHolder(record: PartitionRecord): IdHolder | null {
  if (!record.readable) return null;
  const indexed = footerOf(record, 'index') !== null && record.findings.index.length === 0;
  const kind = indexed ? 'index' : 'object';
  const file = record.files[kind];
  const { order, pixel, idRuns } = record;
  return file ? { order, pixel, idRuns, kind, sha256: file.sha256 } : null;
}

const repeatedSchema = z.array(z.object({ objectId: z.bigint(), times: z.number() }));

/**
 * Looks for an objectId that occurs twice anywhere in one range. One file at a time comes to this machine, and only the
 * ids of the range stay.
 */
export async function compareIds(
  source: CollectionSource,
  folders: Outline['folders'],
  range: IdRange,
  options: DatabaseOptions,
): Promise<readonly Finding[]> {
  const findings = new Findings();
  await withDatabase(options, async (database) => {
    await database.run('CREATE TEMP TABLE ids (objectId BIGINT)');
    for (const { kind, sha256, ...pixel } of range.partitions) {
      await source.withFile(`${folders[kind]}/${partLeafPath(kind, pixel)}`, sha256, ({ path }) =>
        // It was read before: whoever damaged it since is found by its digest, not here.
        database.run(`INSERT INTO ids SELECT objectId FROM ${parquetRelation([path])} WHERE ${inRangeSql(range)}`),
      );
    }
    for (const { objectId, times } of repeatedSchema.parse(await database.rows(repeatedIdsSql('ids')))) {
      findings.add('ID_NOT_UNIQUE', folders.object, `objectId ${objectId} occurs ${times} times.`);
    }
  });
  return findings.kept;
}
