import { InputError } from '#core/errors.ts';
import { ancestor, type Pixel, pixelCount } from '#core/healpix.ts';
import type { PartitionSpec } from '#core/release.ts';

/** One leaf file of the catalogue: all objects in one pixel. */
export interface Partition extends Pixel {
  readonly rows: number;
}

export interface PartitionOptions {
  /** Order of the counted pixels, and the deepest a partition may have; intake counts at order 10. */
  readonly countOrder: number;
  /** No partition has more rows than this; 1,000,000 is what hats-import uses. */
  readonly maxRows: number;
  /** The shallowest order a partition may have. */
  readonly minOrder?: number;
  /** Pixels that are partitions whatever they hold, down to `countOrder`; none holds another. Those without rows are left out. */
  readonly given?: readonly Pixel[];
}

/**
 * Divides the sky into partitions: each is the largest pixel that holds at most `maxRows` rows, in more than one of
 * its four children. The second condition drops empty siblings, so that an isolated clump keeps a small pixel around
 * it; it is hats-import's rule, and its partitions equal ours (test/hats/partition.test.ts). In sky order. With `given`
 * pixels, of a catalogue to be joined with, those are the partitions, and rows outside all of them get their own by the
 * same rule, in pixels that hold no given one.
 *
 * @param counts [pixel at `countOrder`, rows], in any order; counts of a repeated pixel add up.
 * @throws {InputError} `PIXEL_OVER_LIMIT` when one counted pixel alone holds more than `maxRows` rows.
 */
export function partitionSky(counts: Iterable<readonly [number, number]>, options: PartitionOptions): Partition[] {
  const { countOrder, maxRows, minOrder = 0, given = [] } = options;
  const known = new Set(given.map(address));
  const above = pixelsAbove(given);
  const { pixels, rowsBefore } = sortedCounts(counts, countOrder);
  const found: Partition[] = [];

  const rowsBetween = (from: number, to: number) => (rowsBefore[to] ?? 0) - (rowsBefore[from] ?? 0);

  /** `from` and `to` bound the counted pixels inside this one. */
  const divide = (order: number, pixel: number, from: number, to: number): void => {
    if (from === to) return;
    const rows = rowsBetween(from, to);
    if (known.has(address({ order, pixel }))) {
      found.push({ order, pixel, rows });
      return;
    }
    if (order === countOrder) {
      if (rows > maxRows) throw overLimit(order, pixel, rows, maxRows);
      found.push({ order, pixel, rows });
      return;
    }
    const span = 4 ** (countOrder - order - 1);
    const edges = [0, 1, 2, 3, 4].map((child) => lowerBound(pixels, (4 * pixel + child) * span, from, to));
    const children = [0, 1, 2, 3].map((child) => ({ from: edges[child] ?? to, to: edges[child + 1] ?? to }));
    const occupied = children.filter((child) => child.to > child.from).length;
    const holdsGiven = above.has(address({ order, pixel }));
    if (!holdsGiven && order >= minOrder && rows <= maxRows && occupied > 1) {
      found.push({ order, pixel, rows });
      return;
    }
    for (const [child, range] of children.entries()) divide(order + 1, 4 * pixel + child, range.from, range.to);
  };

  for (let base = 0; base < 12; base++) {
    const span = 4 ** countOrder;
    const from = lowerBound(pixels, base * span, 0, pixels.length);
    divide(0, base, from, lowerBound(pixels, (base + 1) * span, from, pixels.length));
  }
  return found;
}

/**
 * The most rows of a partition, where a threshold may be given in megabytes: of the largest of its files, by the mean of what
 * the parts came to, since a file's size is known only when it is there.
 */
export function maxRowsOf(
  { thresholdRows, thresholdMegabytes }: Omit<PartitionSpec, 'highestOrder'>,
  parts: { readonly rows: number; readonly bytes: number },
): number {
  if (thresholdRows !== undefined) return thresholdRows;
  const bytes = (thresholdMegabytes ?? Number.POSITIVE_INFINITY) * 1e6;
  return Math.max(1, Math.floor((bytes * parts.rows) / Math.max(1, parts.bytes)));
}

const address = ({ order, pixel }: Pixel) => `${order}/${pixel}`;

/** All pixels that hold one of these. */
function pixelsAbove(pixels: readonly Pixel[]): ReadonlySet<string> {
  const above = new Set<string>();
  for (const pixel of pixels) {
    for (let order = pixel.order - 1; order >= 0; order -= 1) above.add(address(ancestor(pixel, order)));
  }
  return above;
}

/** Sums counts to a shallower order, for instance for a coarse sky map. In sky order. */
export function coarsen(counts: Iterable<readonly [number, number]>, levels: number): [number, number][] {
  const sums = new Map<number, number>();
  for (const [pixel, rows] of counts) {
    const parent = Math.floor(pixel / 4 ** levels);
    sums.set(parent, (sums.get(parent) ?? 0) + rows);
  }
  return [...sums].sort(([a], [b]) => a - b);
}

/** Typed arrays, because a survey fills millions of pixels: 5.5 million at order 10 for 18,000 square degrees. */
function sortedCounts(counts: Iterable<readonly [number, number]>, order: number) {
  const occupied = [...counts].filter(([, rows]) => rows > 0).sort(([a], [b]) => a - b);
  const pixels = new Float64Array(occupied.length);
  const rowsBefore = new Float64Array(occupied.length + 1);
  for (const [index, [pixel, rows]] of occupied.entries()) {
    if (!Number.isInteger(pixel) || pixel < 0 || pixel >= pixelCount(order)) {
      throw new RangeError(`there is no pixel ${pixel} at order ${order}`);
    }
    pixels[index] = pixel;
    rowsBefore[index + 1] = (rowsBefore[index] ?? 0) + rows;
  }
  return { pixels, rowsBefore };
}

/** The first position in `from..to` whose value is at least `value`; `to` when there is none. */
function lowerBound(sorted: Float64Array, value: number, from: number, to: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Number.POSITIVE_INFINITY) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function overLimit(order: number, pixel: number, rows: number, maxRows: number): InputError {
  return new InputError(`pixel ${pixel} at order ${order} holds ${rows} rows, more than a partition's ${maxRows}`, {
    code: 'PIXEL_OVER_LIMIT',
    hint: 'count rows at a deeper order, or allow more rows in a partition',
  });
}
