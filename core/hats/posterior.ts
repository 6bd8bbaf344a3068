import { z } from 'zod';
import { posteriorColumns, type TableShape } from '#core/hats/columns.ts';
import { KEYS_TABLE, pointsTable, selectedColumns } from '#core/hats/leaf.ts';
import { INDEX_COLUMN } from '#core/healpix.ts';
import { parquetRelation, quoteIdentifier } from '#core/sql.ts';

/** The grid that p(z) lies on: `points` values of z, evenly from `zMin` to `zMax`. */
export const gridSchema = z.strictObject({ zMin: z.number(), zMax: z.number(), points: z.int().min(2) });
export type Grid = z.infer<typeof gridSchema>;

/** The grid of all registered algorithms, which is also DP2's. */
export const DELIVERED_GRID: Grid = { zMin: 0, zMax: 3, points: 301 };

/** The worker's files and the delivered leaves both say their grid under this key, as JSON. */
export const GRID_KEY = 'ponte.grid';

/** Key-value metadata of the leaves of p(z): all that unpacking takes, and how bytes came from p(z). */
export const POSTERIOR_KEY_VALUES = {
  [GRID_KEY]: JSON.stringify(DELIVERED_GRID),
  'ponte.packing': 'linear: p(z_k) = peak * byte_k / 255, as qp.packing_utils.linear_unpack_from_rowmax',
  'ponte.rounding':
    'up or down, remainders carried along the grid from a phase that objectId gives, so that sums are unbiased',
};

/** Where an algorithm's p(z) are: local Parquet files with `objectId`, `pz` and `pz_peak`, as the worker packs them. */
export interface AlgorithmPosteriors {
  readonly name: string;
  readonly pdfs: readonly string[];
}

/** The bit of `{algorithm}_flags` that says that estimates come without p(z) (ponte_rail/photometry.py). */
const PDF_LEFT_OUT = 512;

/** Whether an object shall have p(z): it has estimates, and nothing says that its p(z) was not kept. */
export const hasPdfSql = (mode: string, flags: string): string =>
  `(${mode} IS NOT NULL AND coalesce(${flags}, 0) & ${PDF_LEFT_OUT} = 0)`;

export const posteriorTable = (algorithm: string): string => `posteriors_of_${algorithm}`;

/** p(z) of the objects that have estimates, a byte per grid point and the peak (ponte_rail/packing.py). */
export function createPosteriorSql({ name, pdfs }: AlgorithmPosteriors): string {
  const [bytes, peak] = [quoteIdentifier(`${name}_pz`), quoteIdentifier(`${name}_pz_peak`)];
  const target = `CREATE OR REPLACE TEMP TABLE ${quoteIdentifier(posteriorTable(name))} AS`;
  if (pdfs.length === 0) {
    return `${target} SELECT NULL::BIGINT AS objectId, NULL::BLOB AS ${bytes}, NULL::FLOAT AS ${peak} LIMIT 0`;
  }
  const estimated = `SELECT objectId FROM ${quoteIdentifier(pointsTable(name))} WHERE ${quoteIdentifier(`${name}_z_mode`)} IS NOT NULL`;
  return `${target} SELECT objectId, pz AS ${bytes}, pz_peak AS ${peak} FROM ${parquetRelation(pdfs)}
    WHERE objectId IN (${estimated})`;
}

/** Objects that shall have p(z) and have none of the right length. */
export function posteriorMissingSql(name: string): string {
  return `SELECT count(*) AS n FROM ${quoteIdentifier(pointsTable(name))}
    LEFT JOIN ${quoteIdentifier(posteriorTable(name))} USING (objectId)
    WHERE ${hasPdfSql(quoteIdentifier(`${name}_z_mode`), quoteIdentifier(`${name}_flags`))}
    AND octet_length(${quoteIdentifier(`${name}_pz`)}) IS DISTINCT FROM ${DELIVERED_GRID.points}`;
}

/** The rows of the leaf of p(z): those of the leaf of estimates, in the same order. */
export function posteriorRowsSql(shape: TableShape): string {
  const joins = shape.algorithms.map((name) => `LEFT JOIN ${quoteIdentifier(posteriorTable(name))} USING (objectId)`);
  return `SELECT ${selectedColumns(posteriorColumns, shape)} FROM ${KEYS_TABLE} ${joins.join(' ')}
    ORDER BY ${INDEX_COLUMN}, objectId`;
}
