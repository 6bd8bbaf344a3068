import { photozColumns, type TableShape } from '#core/hats/columns.ts';
import { marginCells, marginOrder } from '#core/hats/margin.ts';
import { ringAround } from '#core/hats/neighbours.ts';
import { type Outline, type PartitionRecord, pixelName, type SharedRows } from '#core/hats/verification.ts';
import { INDEX_COLUMN, indexRange, type Pixel, pixelSql } from '#core/healpix.ts';
import { parquetRelation, quoteIdentifier } from '#core/sql.ts';

/*
 * A margin holds rows of other partitions. Instead of bringing those to each margin, every partition says what it gives
 * to which margin, every margin what it holds from which partition: a number of rows and a sum. The last step compares.
 */

/** The deepest order at which twice a pixel number is exact. */
const FINEST = 24;

/** Finds partitions by place. */
export class PartitionsBySky {
  readonly #partitions: readonly Pixel[];
  readonly #from: Float64Array;
  readonly #deepest: number;

  /** @param partitions in sky order, none inside another. */
  constructor(partitions: Outline['partitions']) {
    this.#partitions = partitions.map(([order, pixel]) => ({ order, pixel }));
    this.#from = Float64Array.from(this.#partitions, ({ order, pixel }) => pixel * 4 ** (FINEST - order));
    this.#deepest = this.#partitions.reduce((deepest, { order }) => Math.max(deepest, order), 0);
  }

  /** The partitions that touch one, also at a corner only. */
  around(pixel: Pixel, thresholdArcsec: number): readonly Pixel[] {
    const order = Math.max(marginOrder(thresholdArcsec), this.#deepest, pixel.order);
    const found = new Set<Pixel>();
    for (const cell of ringAround(pixel.order, pixel.pixel, order)) {
      const holder = this.#holding(cell * 4 ** (FINEST - order));
      if (holder) found.add(holder);
    }
    return [...found];
  }

  #holding(place: number): Pixel | null {
    let [low, high] = [0, this.#from.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#from[middle] ?? place) <= place) low = middle + 1;
      else high = middle;
    }
    const found = this.#partitions[low - 1];
    return found && place < (found.pixel + 1) * 4 ** (FINEST - found.order) ? found : null;
  }
}

/**
 * A sum over rows that does not depend on their order and that a lost, changed or swapped row changes: 64 bits of the
 * MD5 of all columns as text. DuckDB's own `hash` may be another one in its next version.
 */
function rowsSumSql(shape: TableShape): string {
  const columns = photozColumns(shape).map(({ name }) => quoteIdentifier(name));
  return `sum(md5_number_lower(row(${columns.join(', ')})::VARCHAR)::HUGEINT)::VARCHAR`;
}

/** What a leaf has to give to the margins of others: `position` among `others`, `n`, `total`. Null for nothing. */
export function givenRowsSql(
  leaf: string,
  pixel: Pixel,
  others: readonly Pixel[],
  thresholdArcsec: number,
  shape: TableShape,
): string | null {
  const order = marginOrder(thresholdArcsec);
  const cells = others.flatMap((other, position) =>
    marginCells(other, thresholdArcsec)
      .cells.filter((cell) => overlap({ order, pixel: cell }, pixel))
      .map((cell) => `(${cell}, ${position})`),
  );
  if (cells.length === 0) return null;
  return `SELECT position, count(*) AS n, ${rowsSumSql(shape)} AS total FROM ${parquetRelation([leaf])}
    JOIN (VALUES ${cells.join(', ')}) cells(cell, position) ON ${pixelSql(INDEX_COLUMN, order)} = cell GROUP BY position`;
}

/** What a margin holds of other partitions: `position` among `others`, -1 for rows of none of them; `n`, `total`. */
export function heldRowsSql(margin: string, others: readonly Pixel[], shape: TableShape): string {
  const ranges = [...others.entries()].map(([position, other]) => {
    const { from, to } = indexRange(other);
    return `(${from}::BIGINT, ${to}::BIGINT, ${position})`;
  });
  const known = ranges.length > 0 ? `(VALUES ${ranges.join(', ')})` : '(SELECT 0, 0, 0 LIMIT 0)';
  return `SELECT coalesce(position, -1) AS position, count(*) AS n, ${rowsSumSql(shape)} AS total
    FROM ${parquetRelation([margin])} LEFT JOIN ${known} known(first, beyond, position)
    ON ${INDEX_COLUMN} >= first AND ${INDEX_COLUMN} < beyond GROUP BY 1`;
}

/** Whether one pixel holds the other, or is it. */
function overlap(a: Pixel, b: Pixel): boolean {
  const [shallow, deep] = a.order <= b.order ? [a, b] : [b, a];
  return Math.floor(deep.pixel / 4 ** (deep.order - shallow.order)) === shallow.pixel;
}

/** What each margin should hold, by the partition that it is of and the one that gives: names of pixels. */
export type ExpectedMargins = ReadonlyMap<string, ReadonlyMap<string, SharedRows>>;

export function expectedMargins(records: readonly PartitionRecord[]): ExpectedMargins {
  const margins = new Map<string, Map<string, SharedRows>>();
  for (const record of records) {
    for (const given of record.given) {
      const margin = margins.get(pixelName(given)) ?? new Map<string, SharedRows>();
      margins.set(pixelName(given), margin.set(pixelName(record), given));
    }
  }
  return margins;
}

/** What is wrong with what a margin holds, in one sentence; null for nothing. */
export function marginComplaint(record: PartitionRecord, margins: ExpectedMargins): string | null {
  const expected = margins.get(pixelName(record)) ?? new Map<string, SharedRows>();
  const held = new Map(record.held.map((rows) => [pixelName(rows), rows]));
  let [missing, foreign, changed] = [0, 0, 0];
  for (const from of new Set([...expected.keys(), ...held.keys()])) {
    const [should, is] = [expected.get(from), held.get(from)];
    const more = (is?.rows ?? 0) - (should?.rows ?? 0);
    missing += Math.max(0, -more);
    foreign += Math.max(0, more);
    if (more === 0 && should?.sum !== is?.sum) changed += is?.rows ?? 0;
  }
  if (missing === 0 && foreign === 0 && changed === 0) return null;
  return `Of the catalogue's rows ${missing} are missing, ${foreign} are too many, and among ${changed} some are others.`;
}
