import { z } from 'zod';
import { type Database, parquetRelation, quoteIdentifier } from '#adapters/duckdb.ts';
import type { Profile } from '#core/profile.ts';
import type { TractStatistics } from '#core/value-statistics.ts';

/** A chunk that names more is not divided by tracts, and its summary shall stay small. */
const MOST_TRACTS = 10_000;

const tractRow = z.object({
  tract: z.string().nullable(),
  rows: z.bigint(),
  outside: z.bigint().nullable(),
  known: z.boolean().nullable(),
});

/**
 * Counts a chunk's rows by tract, and those that lie outside their tract's box in the registered file `bounds`.
 * @throws what DuckDB says, where a data page is damaged.
 */
export async function readTracts(
  database: Database,
  chunk: string,
  profile: Profile,
  bounds: string | null,
): Promise<TractStatistics | null> {
  if (!profile.tract) return null;
  const [ra, dec] = [profile.ra, profile.dec].map((name) => `c.${quoteIdentifier(name)}::DOUBLE`);
  const tract = `c.${quoteIdentifier(profile.tract.column)}::VARCHAR`;
  const source = parquetRelation([chunk]);
  // A box may go across ra = 0, and 360 is 0.
  const turn = `(CASE WHEN ${ra} = 360 THEN 0 ELSE ${ra} END)`;
  const within = `CASE WHEN b.ra_from <= b.ra_to THEN ${turn} BETWEEN b.ra_from AND b.ra_to OR ${ra} BETWEEN b.ra_from AND b.ra_to
    ELSE ${turn} >= b.ra_from OR ${turn} <= b.ra_to END AND ${dec} BETWEEN b.dec_from AND b.dec_to`;
  const counted = await database.rows(
    bounds === null
      ? `SELECT ${tract} AS tract, count(*) AS rows, NULL::BIGINT AS outside, NULL::BOOLEAN AS known FROM ${source} AS c
         GROUP BY 1 ORDER BY rows DESC, tract LIMIT ${MOST_TRACTS}`
      : `SELECT ${tract} AS tract, count(*) AS rows, count(*) FILTER (NOT coalesce(${within}, false)) AS outside,
           bool_and(b.box IS NOT NULL) AS known FROM ${source} AS c
         LEFT JOIN (SELECT tract::VARCHAR AS box, * EXCLUDE (tract) FROM ${parquetRelation([bounds])}) AS b ON b.box = ${tract}
         GROUP BY 1 ORDER BY outside DESC, tract`,
  );
  const rows = z.array(tractRow).parse(counted);
  const sum = (list: typeof rows, count: (row: (typeof rows)[number]) => bigint) =>
    Number(list.reduce((total, row) => total + count(row), 0n));
  const known = rows.filter((row) => row.known === true);
  const largest = rows.toSorted((a, b) => Number(b.rows - a.rows)).slice(0, MOST_TRACTS);
  return {
    rows: Object.fromEntries(largest.flatMap((row) => (row.tract === null ? [] : [[row.tract, Number(row.rows)]]))),
    bounds:
      bounds === null
        ? null
        : {
            outside: sum(known, ({ outside }) => outside ?? 0n),
            unknown: sum(
              rows.filter((row) => row.known !== true),
              (row) => row.rows,
            ),
            worst: known.find(({ outside }) => outside !== null && outside > 0n)?.tract ?? null,
          },
  };
}
