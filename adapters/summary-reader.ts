import { z } from 'zod';
import type { Database } from '#adapters/duckdb.ts';
import {
  type BandSummary,
  BIN,
  COLOUR_TRIPLES,
  type DerivedSummary,
  mergeInto,
  type SparseHistogram,
} from '#core/chunk-summary.ts';
import { BANDS } from '#core/profile.ts';

const binRow = z.object({ bin: z.string(), objects: z.bigint() });

const COLOURS = COLOUR_TRIPLES.map(
  ([a, b, c]) => [`${a}-${b},${b}-${c}`, [`mag_${a} - mag_${b}`, `mag_${b} - mag_${c}`]] as const,
);

/** What is counted: of each band its magnitudes and errors, of neighbouring bands their colours, and the sky. */
const AXES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    BANDS.map((band) => [band, [binSql(`mag_${band}`, BIN.magnitude), binSql(`log10(magerr_${band})`, BIN.logError)]]),
  ),
  ...Object.fromEntries(COLOURS.map(([name, axes]) => [name, axes.map((axis) => binSql(axis, BIN.colour))])),
  sky: [binSql('ra', BIN.sky), binSql('dec', BIN.sky)],
};

/** Histograms of skinny rows, which may come some at a time. */
export class ChunkSummarizer {
  #keptRows = 0;
  /** By name, and then by bin. */
  readonly #histograms: Record<string, Record<string, number>> = {};

  /** A few grouped passes over `rows`, a table or a relation in parentheses. */
  async add(database: Database, rows: string): Promise<void> {
    const [counted] = z
      .array(z.object({ rows: z.bigint() }))
      .parse(await database.rows(`SELECT count(*) AS rows FROM ${rows}`));
    this.#keptRows += Number(counted?.rows ?? 0n);
    for (const [name, axes] of Object.entries(AXES)) {
      const sum = this.#histograms[name] ?? {};
      mergeInto(sum, await histogram(database, rows, axes));
      this.#histograms[name] = sum;
    }
  }

  get summary(): DerivedSummary {
    const bands: DerivedSummary['bands'] = {};
    for (const band of BANDS) bands[band] = bandSummary(this.#histograms[band] ?? {});
    const colours = Object.fromEntries(COLOURS.map(([name]) => [name, this.#histograms[name] ?? {}]));
    return { keptRows: this.#keptRows, bands, colours, sky: this.#histograms.sky ?? {} };
  }
}

/** What has a magnitude has an error too, so the magnitudes are the errors' histogram summed over the errors. */
function bandSummary(errors: SparseHistogram): BandSummary {
  const magnitudes: Record<string, number> = {};
  for (const [bin, objects] of Object.entries(errors)) {
    const [magnitude = ''] = bin.split(',');
    magnitudes[magnitude] = (magnitudes[magnitude] ?? 0) + objects;
  }
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
