import { z } from 'zod';
import type { Database } from '#adapters/duckdb.ts';
import {
  type BandSummary,
  BIN,
  COLOUR_TRIPLES,
  type DerivedSummary,
  type SparseHistogram,
} from '#core/chunk-summary.ts';
import { BANDS, type Band } from '#core/profile.ts';

const binRow = z.object({ bin: z.string(), objects: z.bigint() });

/** Histograms of a table of skinny rows; a few grouped passes over memory. */
export async function summarize(database: Database, table: string): Promise<DerivedSummary> {
  const [counted] = z
    .array(z.object({ rows: z.bigint() }))
    .parse(await database.rows(`SELECT count(*) AS rows FROM ${table}`));
  const bands: DerivedSummary['bands'] = {};
  for (const band of BANDS) bands[band] = await summarizeBand(database, table, band);
  const colours: Record<string, SparseHistogram> = {};
  for (const [a, b, c] of COLOUR_TRIPLES) {
    const axes = [binSql(`mag_${a} - mag_${b}`, BIN.colour), binSql(`mag_${b} - mag_${c}`, BIN.colour)];
    colours[`${a}-${b},${b}-${c}`] = await histogram(database, table, axes);
  }
  const sky = await histogram(database, table, [binSql('ra', BIN.sky), binSql('dec', BIN.sky)]);
  const keptRows = Number(counted?.rows ?? 0n);
  return { keptRows, bands, colours, sky };
}

async function summarizeBand(database: Database, table: string, band: Band): Promise<BandSummary> {
  const magnitudes = await histogram(database, table, [binSql(`mag_${band}`, BIN.magnitude)]);
  const errors = await histogram(database, table, [
    binSql(`mag_${band}`, BIN.magnitude),
    binSql(`log10(magerr_${band})`, BIN.logError),
  ]);
  const detected = Object.values(magnitudes).reduce((sum, objects) => sum + objects, 0);
  return { detected, magnitudes, errors };
}

/** The bin's number; what is far from any sky or survey has none, so that a damaged file leaves a small summary. */
function binSql(value: string, width: number): string {
  return `CASE WHEN abs(${value}) < 1e3 THEN floor((${value}) / ${width.toExponential()})::INTEGER END`;
}

async function histogram(database: Database, table: string, axes: readonly string[]): Promise<SparseHistogram> {
  const names = axes.map((_, index) => `axis_${index}`);
  const columns = axes.map((axis, index) => `${axis} AS ${names[index]}`).join(', ');
  const present = names.map((name) => `${name} IS NOT NULL`).join(' AND ');
  const rows = await database.rows(
    `SELECT concat_ws(',', ${names.join(', ')}) AS bin, count(*) AS objects FROM (SELECT ${columns} FROM ${table})
     WHERE ${present} GROUP BY ${names.join(', ')} ORDER BY ${names.join(', ')}`,
  );
  return Object.fromEntries(
    z
      .array(binRow)
      .parse(rows)
      .map(({ bin, objects }) => [bin, Number(objects)]),
  );
}
