import { z } from 'zod';
import type { CollectionSource } from '#adapters/collection-source.ts';
import type { PartitionQueries } from '#adapters/hats-partition-queries.ts';
import type { TableShape } from '#core/hats/columns.ts';
import { leafPath } from '#core/hats/layout.ts';
import { givenRowsSql, heldRowsSql, type PartitionsBySky } from '#core/hats/margin-check.ts';
import { INDEXED_COLUMN } from '#core/hats/parts.ts';
import {
  indexDifferenceSql,
  keysDifferenceSql,
  mayTouch,
  nearRowsSql,
  posteriorCheckSql,
} from '#core/hats/parts-check.ts';
import { GRID_KEY, type Grid, gridSchema } from '#core/hats/posterior.ts';
import type { FindingCode } from '#core/hats/verdict.ts';
import type { Outline, SharedRows } from '#core/hats/verification.ts';
import { INDEX_COLUMN, type Pixel } from '#core/healpix.ts';
import { parquetRelation } from '#core/sql.ts';

/** What the looks at partitions share. */
export interface Surroundings {
  readonly source: CollectionSource;
  readonly outline: Outline;
  readonly sky: PartitionsBySky;
}

/** How many rows around a partition are looked at where its margin is compared with brute force, and of how many others. */
const SAMPLED = { rows: 200_000, partitions: 24 } as const;

const sharedSchema = z.object({ position: z.number(), n: z.bigint(), total: z.string() });

function sharedRows(found: readonly z.infer<typeof sharedSchema>[] | null, others: readonly Pixel[]): SharedRows[] {
  return (found ?? []).flatMap(({ position, n, total }) => {
    const other = others[position];
    return other ? [{ order: other.order, pixel: other.pixel, rows: Number(n), sum: total }] : [];
  });
}

/** The rows of a leaf that belong into the margins of other partitions. */
export async function givenRows(
  ask: PartitionQueries,
  leaf: string,
  pixel: Pixel,
  shape: TableShape,
  { sky, outline: { marginArcsec } }: Surroundings,
): Promise<SharedRows[]> {
  if (marginArcsec === null) return [];
  const others = sky.around(pixel, marginArcsec);
  const sql = givenRowsSql(leaf, pixel, others, marginArcsec, shape);
  return sql === null ? [] : sharedRows(await ask.rows(sql, sharedSchema), others);
}

/** Checks the margin of a partition by itself. @returns what it holds of which partition. */
export async function checkMargin(
  ask: PartitionQueries,
  path: string,
  pixel: Pixel,
  shape: TableShape,
  { sky, outline: { marginArcsec } }: Surroundings,
): Promise<SharedRows[]> {
  if (marginArcsec === null) return [];
  const others = sky.around(pixel, marginArcsec);
  const found = await ask.rows(heldRowsSql(path, others, shape), sharedSchema);
  const foreign = found?.find(({ position }) => position < 0)?.n ?? 0n;
  if (foreign > 0n) {
    ask.findings.add('PART_ROWS', ask.where, `${foreign} rows come from no partition that touches this one.`);
  }
  await ask.sorted(path, [INDEX_COLUMN, 'objectId']);
  return sharedRows(found, others);
}

/** Whether rows near the partition, found by geometry alone, are in its margin; null for one without. */
export async function sampleMargin(
  ask: PartitionQueries,
  margin: string | null,
  pixel: Pixel,
  shape: TableShape,
  { source, outline: { marginArcsec, partitions, folders } }: Surroundings,
): Promise<void> {
  if (marginArcsec === null) return;
  const radians = (marginArcsec / 3600) * (Math.PI / 180);
  // Three cells wide at most: a cell is at most five times as wide as the threshold.
  const around = partitions
    .map(([order, number]): Pixel => ({ order, pixel: number }))
    .filter((other) => !isSame(other, pixel) && mayTouch(pixel, other, 10 * radians));
  const every = Math.ceil(around.length / SAMPLED.partitions);
  const looked = around.filter((_, position) => position % every === 0);
  const held = margin === null ? '(SELECT NULL::BIGINT)' : `(SELECT objectId FROM ${parquetRelation([margin])})`;
  let missing = 0n;
  for (const other of looked) {
    await source.withFile(`${folders.object}/${leafPath(other)}`, null, async ({ path }) => {
      const near = nearRowsSql(pixel, marginArcsec, [path], shape, Math.ceil(SAMPLED.rows / looked.length));
      // What cannot be read there is found where that partition is looked at.
      missing += await ask.numberIfReadable(
        `SELECT count(*) AS n FROM (${near}) WHERE (objectId NOT IN ${held}) IS NOT FALSE`,
      );
    });
  }
  if (missing === 0n) return;
  const text = `${missing} rows within ${marginArcsec} arcsec of pixel ${pixel.pixel} of order ${pixel.order} are not in it.`;
  ask.findings.add('MARGIN_INCOMPLETE', ask.where, text);
}

/** Compares the index's part with the leaf that it leads into. */
export async function checkIndex(ask: PartitionQueries, path: string, leaf: string, pixel: Pixel): Promise<void> {
  await ask.compare(indexDifferenceSql(pixel, path, leaf));
  await ask.sorted(path, [INDEXED_COLUMN]);
}

/** Compares p(z) with the estimates. */
export async function checkPosterior(
  ask: PartitionQueries,
  path: string,
  leaf: string,
  shape: TableShape,
  grid: Grid | null,
): Promise<void> {
  await ask.compare(keysDifferenceSql(path, leaf, shape));
  await ask.sorted(path, [INDEX_COLUMN, 'objectId']);
  if (grid === null) return;
  const complaints: readonly (readonly [string, FindingCode, string])[] = [
    ['unlike', 'POSTERIOR_UNLIKE_ESTIMATES', 'have p(z) without estimates, or estimates without p(z)'],
    ['invalid', 'POSTERIOR_INVALID', `have p(z) of other than ${grid.points} bytes, or without a peak`],
    ['elsewhere', 'POSTERIOR_PEAK', 'have p(z) that do not peak at z_mode'],
  ];
  for (const algorithm of shape.algorithms) {
    const counts = await ask.counts(posteriorCheckSql(path, leaf, algorithm, grid));
    for (const [key, code, complaint] of complaints) {
      const n = counts[key] ?? 0n;
      if (n > 0n) ask.findings.add(code, ask.where, `${n} rows ${complaint}, of ${algorithm}.`);
    }
  }
}

/** The grid that a file of p(z) says it is on. */
export function gridOf(keyValues: ReadonlyMap<string, string>): Grid | null {
  try {
    return gridSchema.parse(JSON.parse(keyValues.get(GRID_KEY) ?? ''));
  } catch {
    return null;
  }
}

const isSame = (a: Pixel, b: Pixel) => a.order === b.order && a.pixel === b.pixel;
