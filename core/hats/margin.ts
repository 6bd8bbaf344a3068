import { ringAround } from '#core/hats/neighbours.ts';
import { INDEX_COLUMN, type Pixel, pixelSql } from '#core/healpix.ts';

/** What LSDB's tutorials and RSP's own catalogues use: enough for cross-matches of a few arcseconds. */
export const MARGIN_ARCSEC = 10;

/** The deepest order that a margin's cells may have, and the shallowest: that of the counted pixels. */
const CELL_ORDERS = { deepest: 18, shallowest: 10 } as const;

/**
 * The smallest distance between an edge of a pixel of order 0 and what lies beyond its neighbours, in radians, times
 * 2^order for the limit of deep orders: 0.7107 (cdshealpix, table SMALLER_EDGE2OPEDGE_DIST, from order 10 on).
 */
const NARROWEST_RADIANS = 0.7107;

/**
 * The order of the cells that a margin is made of: the deepest at which no cell is narrower than the threshold, so
 * that whatever lies within the threshold of a partition lies in a cell that touches it. For 10 arcsec that is order
 * 13, of cells of 26 arcsec. This holds at vertices and poles as well, because it is a matter of which cells touch.
 *
 * @throws {RangeError} for thresholds above 143 arcsec, which would need cells wider than the counted pixels.
 */
export function marginOrder(thresholdArcsec: number): number {
  const threshold = (thresholdArcsec / 3600) * (Math.PI / 180);
  for (let order = CELL_ORDERS.deepest; order >= CELL_ORDERS.shallowest; order--) {
    if (NARROWEST_RADIANS / 2 ** order >= threshold) return order;
  }
  throw new RangeError(`a margin of ${thresholdArcsec} arcsec is too wide; the widest is 143`);
}

/** The cells that make up a partition's margin: [order, pixel numbers in ascending order]. */
export function marginCells(
  partition: Pixel,
  thresholdArcsec: number,
): { readonly order: number; readonly cells: readonly number[] } {
  const order = marginOrder(thresholdArcsec);
  return { order, cells: ringAround(partition.order, partition.pixel, order) };
}

/** The counted pixels that hold those cells: whose objects may be in the margin. */
export function marginCountPixels(partition: Pixel, thresholdArcsec: number, countOrder: number): readonly number[] {
  const { order, cells } = marginCells(partition, thresholdArcsec);
  return [...new Set(cells.map((cell) => Math.floor(cell / 4 ** (order - countOrder))))];
}

/** An SQL condition that is true for the rows of a partition's margin. */
export function inMarginSql(partition: Pixel, thresholdArcsec: number): string {
  const { order, cells } = marginCells(partition, thresholdArcsec);
  return `${pixelSql(INDEX_COLUMN, order)} IN (SELECT unnest([${cells.join(', ')}]))`;
}
