import { z } from 'zod';
import { type Database, parquetRelation, quoteIdentifier, quoteLiteral } from '#adapters/duckdb.ts';
import type { Profile } from '#core/profile.ts';

export interface IdFile {
  readonly rows: number;
  /** The ends of the list, as decimals: 64 bits are more than a number holds. */
  readonly least: string;
  readonly greatest: string;
}

/**
 * Writes the ids of a chunk's skinny parts to `target`, ascending, with the tract of each where the catalogue says it:
 * Parquet with the columns `id` and `tract`. Delta encoding leaves about 2 bytes of an id. Null where no row was kept.
 */
export async function writeIds(
  database: Database,
  chunk: string,
  profile: Profile,
  parts: readonly string[],
  target: string,
): Promise<IdFile | null> {
  if (parts.length === 0) return null;
  const kept = `(SELECT "objectId" AS id FROM ${parquetRelation(parts)})`;
  const id = `${quoteIdentifier(profile.id)}::BIGINT`;
  const ids = profile.tract
    ? `SELECT kept.id, source.tract FROM ${kept} AS kept JOIN (SELECT ${id} AS id,
       ${quoteIdentifier(profile.tract.column)}::VARCHAR AS tract FROM ${parquetRelation([chunk])}) AS source ON source.id = kept.id`
    : `SELECT id, NULL::VARCHAR AS tract FROM ${kept}`;
  await database.run(
    `COPY (${ids} ORDER BY 1) TO ${quoteLiteral(target)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2)`,
  );
  const [ends] = z
    .array(z.object({ rows: z.bigint(), least: z.string(), greatest: z.string() }))
    .parse(
      await database.rows(
        `SELECT count(*) AS rows, min(id)::VARCHAR AS least, max(id)::VARCHAR AS greatest FROM ${parquetRelation([target])}`,
      ),
    );
  return ends ? { ...ends, rows: Number(ends.rows) } : null;
}
