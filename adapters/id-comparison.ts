import { z } from 'zod';
import { type Database, parquetRelation } from '#adapters/duckdb.ts';
import type { SharedIds } from '#core/shared-ids.ts';

/** Ids that are compared at a time: about 1 GB of hash table, and DuckDB spills the rest. */
const IDS_AT_A_TIME = 20_000_000;

const pairRow = z.object({
  a: z.string(),
  b: z.string(),
  tract_a: z.string().nullable(),
  tract_b: z.string().nullable(),
  objects: z.bigint(),
});

/**
 * Counts the ids that several lists have in common, exactly, per pair of chunks and of tracts; most first.
 * @param files local path -> the chunk whose ids `adapters/id-writer.ts` wrote there.
 * @param rows of all of them.
 */
export async function compareIds(
  database: Database,
  files: ReadonlyMap<string, string>,
  rows: number,
  atATime = IDS_AT_A_TIME,
): Promise<readonly SharedIds[]> {
  const source = parquetRelation([...files.keys()]).replace(/\)$/, ', filename = true)');
  const passes = Math.max(1, Math.ceil(rows / atATime));
  const found = new Map<string, SharedIds>();
  for (let pass = 0; pass < passes; pass += 1) {
    // Of the id's hash, because ids may be multiples of anything.
    const some = passes === 1 ? '' : ` WHERE hash(id) % ${passes} = ${pass}`;
    const pairs = await database.rows(
      `WITH ids AS (SELECT id, tract, filename FROM ${source}${some}),
            twice AS (SELECT id FROM ids GROUP BY id HAVING count(*) > 1),
            shared AS (SELECT ids.* FROM ids SEMI JOIN twice ON twice.id = ids.id)
       SELECT x.filename AS a, y.filename AS b, x.tract AS tract_a, y.tract AS tract_b, count(*) AS objects
       FROM shared AS x JOIN shared AS y ON x.id = y.id AND x.filename < y.filename GROUP BY ALL`,
    );
    for (const pair of z.array(pairRow).parse(pairs)) {
      const [a, b] = [pair.a, pair.b].map((path) => files.get(path) ?? path);
      const one = { chunk: a ?? '', tract: pair.tract_a };
      const other = { chunk: b ?? '', tract: pair.tract_b };
      const [first, second] = one.chunk < other.chunk ? [one, other] : [other, one];
      const key = JSON.stringify([first, second]);
      const objects = (found.get(key)?.objects ?? 0) + Number(pair.objects);
      found.set(key, { chunks: [first.chunk, second.chunk], tracts: [first.tract, second.tract], objects });
    }
  }
  const order = ({ chunks, tracts }: SharedIds) => JSON.stringify([chunks, tracts]);
  return [...found.values()].sort((a, b) => b.objects - a.objects || (order(a) < order(b) ? -1 : 1));
}
