import { z } from 'zod';
import { type Database, parquetRelation, readingFailure } from '#adapters/duckdb.ts';
import { readTracts } from '#adapters/tract-reader.ts';
import { BANDS, type Profile } from '#core/profile.ts';
import { type BandStatistics, type ValueStatistics, valueStatisticsSql } from '#core/value-statistics.ts';

export type ValueReading =
  | { readonly kind: 'statistics'; readonly statistics: ValueStatistics }
  /** A data page is damaged: that only shows when its values are read. */
  | { readonly kind: 'unreadable'; readonly reason: string };

/** One aggregate's columns; counts come as `bigint`. */
const aggregateSchema = z.record(z.string(), z.union([z.bigint().transform(Number), z.number(), z.null()]));

/**
 * Reads the needed columns of a local chunk once or twice and counts what is in them.
 * @param more `source`: the chunk as a relation, with E(B-V) of a map; `bounds`: a file that says where each tract lies.
 */
export async function readValues(
  database: Database,
  path: string,
  profile: Profile,
  more: { readonly source?: string; readonly bounds?: string | null } = {},
): Promise<ValueReading> {
  const [rawSql, measuredSql] = valueStatisticsSql(more.source ?? parquetRelation([path]), profile);
  try {
    const [raw, measured] = [await database.rows(rawSql), await database.rows(measuredSql)].map((rows) =>
      aggregateSchema.parse(rows[0]),
    );
    const tracts = await readTracts(database, path, profile, more.bounds ?? null);
    return { kind: 'statistics', statistics: { ...statisticsOf({ ...raw, ...measured }, profile), tracts } };
  } catch (error) {
    return { kind: 'unreadable', reason: readingFailure(error) };
  }
}

function statisticsOf(row: Readonly<Record<string, number | null>>, profile: Profile): Omit<ValueStatistics, 'tracts'> {
  const count = (name: string): number => row[name] ?? 0;
  const number = (name: string): number | null => {
    const value = row[name] ?? null;
    return value !== null && Number.isFinite(value) ? value : null;
  };
  const bands: ValueStatistics['bands'] = {};
  for (const band of BANDS) {
    if (!profile.bands[band]) continue;
    const facts: BandStatistics = {
      empty: count(`${band}_empty`),
      notDetected: count(`${band}_not_detected`),
      errorUnusable: count(`${band}_error_unusable`),
      detected: count(`${band}_detected`),
      outside: count(`${band}_outside`),
      faintest: number(`${band}_faintest`),
      brightest: number(`${band}_brightest`),
      errorCorrelation: number(`${band}_error_correlation`),
      depth: { objects: count(`${band}_depth_objects`), sum: number(`${band}_depth_sum`) ?? 0 },
    };
    bands[band] = facts;
  }
  return {
    rows: count('rows'),
    bands,
    primary: profile.primary ? count('is_primary') : null,
    separated: profile.extendedness ? count('separated') : null,
    extended: profile.extendedness ? count('extended') : null,
    withEbv: profile.ebv ? count('with_ebv') : null,
  };
}
