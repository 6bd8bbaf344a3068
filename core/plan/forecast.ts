import { z } from 'zod';
import type { JobInput, JobSpec } from '#core/job-order.ts';
import { chunkMicroUsd, LOOK_SECONDS, PACKING_OF_A_CHUNK } from '#core/plan/chunk-price.ts';
import { type CostEstimate, estimateJobs } from '#core/plan/estimate.ts';
import type { Interval } from '#core/plan/statistics.ts';
import { PRICES, priceMicroUsd } from '#core/price-book.ts';
import type { Table } from '#core/table.ts';

/** A file of schemas/sites: what a forecast has to know of a cluster. */
export const forecastSiteSchema = z.strictObject({
  name: z.string(),
  version: z.int().positive(),
  title: z.string(),
  /** Single-core tasks that run side by side. */
  tasksAtOnce: z.int().positive(),
  source: z.string(),
});
export type ForecastSite = z.infer<typeof forecastSiteSchema>;

/** LIneA's unit of work. */
const ROWS_PER_CHUNK = 130_000;
const CHUNKS_PER_BATCH = 50;
/** Of a skinny part in Parquet, with its ids and counts: `npm run bench -- skinny` and `-- cost`. LIneA's HDF5 has 112. */
const SKINNY_BYTES_PER_ROW = 46;
/** 301 points at a byte, and the peak; eight estimates and the flags at four bytes. Before compression. */
const OUTPUT_BYTES_PER_ROW = 301 + 4 + 9 * 4;

export interface AlgorithmForecast extends CostEstimate {
  readonly algorithm: string;
  /** With all of the site to itself. */
  readonly wallSeconds: Interval;
  readonly storedBytes: number;
  /** To pack, verify and deliver a table of this algorithm alone. */
  readonly packingMicroUsd: number;
}

export interface Forecast {
  readonly objects: number;
  readonly chunks: number;
  readonly site: ForecastSite;
  readonly algorithms: readonly AlgorithmForecast[];
  /** Taking the objects in, once for all algorithms. */
  readonly intake: { readonly microUsd: number; readonly storedBytes: number };
  /** A month of all that is stored, and all bytes out once, at the dated prices; not part of any other figure. */
  readonly storageMicroUsdPerMonth: number;
  readonly egressMicroUsd: number;
  readonly pricesOf: string;
}

const scaled = ({ mean, low, high }: Interval, by: number): Interval => ({
  mean: mean * by,
  low: low * by,
  high: high * by,
});

/**
 * What a table of so many objects takes at a site, by algorithm. Run time is linear in rows (LIneA's forecasts).
 * @param table with the history of a deployment; null without one, and then everything is ASSUMED
 */
export async function forecast(
  table: Table | null,
  spec: JobSpec,
  { objects, site }: { readonly objects: number; readonly site: ForecastSite },
): Promise<Forecast> {
  const chunks = Math.ceil(objects / ROWS_PER_CHUNK);
  const inputs = batchInputs(objects, chunks);
  const algorithms: AlgorithmForecast[] = [];
  for (const algorithm of Object.keys(spec.algorithms)) {
    const cost = await estimateJobs(table, spec, { kind: 'estimate', algorithm }, inputs, null);
    const wallSeconds = scaled(cost.coreSeconds, 1 / site.tasksAtOnce);
    const packingMicroUsd = chunks * priceMicroUsd(PACKING_OF_A_CHUNK);
    algorithms.push({ algorithm, ...cost, wallSeconds, storedBytes: objects * OUTPUT_BYTES_PER_ROW, packingMicroUsd });
  }
  const intake = { microUsd: chunks * chunkMicroUsd(LOOK_SECONDS), storedBytes: objects * SKINNY_BYTES_PER_ROW };
  const stored = algorithms.reduce((sum, { storedBytes }) => sum + storedBytes, intake.storedBytes);
  const out = algorithms.reduce((sum, { egressBytes }) => sum + egressBytes.mean, 0);
  return {
    ...{ objects, chunks, site, algorithms, intake },
    storageMicroUsdPerMonth: (stored / 1e9) * PRICES.s3GbMonth,
    egressMicroUsd: (out / 1e9) * PRICES.egressGb,
    pricesOf: PRICES.date,
  };
}

function batchInputs(objects: number, chunks: number): readonly JobInput[] {
  return Array.from({ length: Math.ceil(chunks / CHUNKS_PER_BATCH) }, (_, batch) => {
    const first = batch * CHUNKS_PER_BATCH;
    const units = Math.min(CHUNKS_PER_BATCH, chunks - first);
    const rows = Math.min(units * ROWS_PER_CHUNK, objects - first * ROWS_PER_CHUNK);
    return { units, rows, bytes: rows * SKINNY_BYTES_PER_ROW };
  });
}
