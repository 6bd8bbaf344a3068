import type { TableShape } from '#core/hats/columns.ts';
import { directoryOf } from '#core/hats/layout.ts';
import { insideSql } from '#core/hats/leaf.ts';
import { pixelCentre } from '#core/hats/neighbours.ts';
import { hasPdfSql } from '#core/hats/posterior.ts';
import { healpix29Sql, INDEX_COLUMN, indexRange, type Pixel } from '#core/healpix.ts';
import { parquetRelation, quoteIdentifier } from '#core/sql.ts';

/** Rows of one relation that the other lacks, both ways: one row with `missing` and `foreign`; NULL equals NULL. */
function differenceSql(expected: string, actual: string): string {
  const count = (one: string, other: string) => `(SELECT count(*) FROM (${one} EXCEPT ALL ${other}))`;
  return `SELECT ${count(expected, actual)} AS missing, ${count(actual, expected)} AS foreign`;
}

/** Compares the index's part for one leaf with the leaf. */
export function indexDifferenceSql(pixel: Pixel, part: string, leaf: string): string {
  const expected = `SELECT objectId, ${INDEX_COLUMN}, ${pixel.order}::UTINYINT, ${directoryOf(pixel)}::UBIGINT,
    ${pixel.pixel}::UBIGINT FROM ${parquetRelation([leaf])}`;
  return differenceSql(expected, `SELECT * FROM ${parquetRelation([part])}`);
}

/** Compares the keys of a leaf of p(z) with those of the leaf of estimates. */
export function keysDifferenceSql(part: string, leaf: string, { coordinates }: TableShape): string {
  const keys = [INDEX_COLUMN, 'objectId', coordinates.ra, coordinates.dec].map(quoteIdentifier).join(', ');
  return differenceSql(
    `SELECT ${keys} FROM ${parquetRelation([leaf])}`,
    `SELECT ${keys} FROM ${parquetRelation([part])}`,
  );
}

/** Rows that come before one that they should follow: one number `n`. */
export function unsortedSql(path: string, columns: readonly string[]): string {
  const tuple = `(${columns.map(quoteIdentifier).join(', ')})`;
  return `SELECT count(*) AS n FROM (SELECT row${tuple} AS own, lag(row${tuple}) OVER () AS previous
    FROM ${parquetRelation([path])}) WHERE previous > own`;
}

/** What is wrong with the p(z) of one leaf and algorithm: `unlike`, `invalid`, `elsewhere`. */
export function posteriorCheckSql(
  part: string,
  leaf: string,
  algorithm: string,
  grid: { readonly zMin: number; readonly zMax: number; readonly points: number },
): string {
  const name = (suffix: string) => quoteIdentifier(`${algorithm}_${suffix}`);
  const [bytes, peak, mode, flags] = [name('pz'), name('pz_peak'), name('z_mode'), name('flags')];
  const step = (grid.zMax - grid.zMin) / (grid.points - 1);
  // `z_mode` is a point of the grid, as FLOAT; positions in a BLOB count from 1.
  const position = `(1 + round((${mode}::DOUBLE - ${grid.zMin}e0) / ${step.toExponential()})::INTEGER)`;
  const sound = `octet_length(${bytes}) = ${grid.points} AND isfinite(${peak}) AND ${peak} > 0`;
  return `SELECT count(*) FILTER (WHERE (${bytes} IS NOT NULL) <> ${hasPdfSql(mode, flags)}) AS unlike,
    count(*) FILTER (WHERE CASE WHEN ${bytes} IS NULL THEN ${peak} IS NOT NULL ELSE NOT coalesce(${sound}, false) END) AS invalid,
    count(*) FILTER (WHERE ${sound} AND ${mode} IS NOT NULL
      AND array_slice(${bytes}, ${position}, ${position}) <> '\\xFF'::BLOB) AS elsewhere
    FROM (SELECT objectId, ${mode}, ${flags} FROM ${parquetRelation([leaf])})
    JOIN (SELECT objectId, ${bytes}, ${peak} FROM ${parquetRelation([part])}) USING (objectId)`;
}

/**
 * Longest distance from a pixel's centre to its corners, radians: 0.8411 at order 0, and 2^order times it grows
 * towards 0.925 (healpy, `max_pixrad`).
 */
const reachRadians = (order: number): number => 0.95 / 2 ** order;

/** Angle between two places, radians (haversine). */
function separation(
  a: { readonly ra: number; readonly dec: number },
  b: { readonly ra: number; readonly dec: number },
): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const half = (angle: number) => Math.sin(angle / 2) ** 2;
  const across = Math.cos(radians(a.dec)) * Math.cos(radians(b.dec)) * half(radians(a.ra - b.ra));
  return 2 * Math.asin(Math.min(1, Math.sqrt(half(radians(a.dec - b.dec)) + across)));
}

/** Whether rows of one pixel may lie within `radians` of the other: never wrongly no. */
export function mayTouch(a: Pixel, b: Pixel, radians: number): boolean {
  const apart = separation(pixelCentre(a.order, a.pixel), pixelCentre(b.order, b.pixel));
  return apart <= reachRadians(a.order) + reachRadians(b.order) + radians;
}

/** Directions that a row is moved in, and shares of the threshold that it is moved by. */
const BEARINGS = 16;
const SHARES = [0.999, 0.6, 0.25];

/**
 * Rows outside a pixel that certainly lie within the threshold of it, because a point less than the threshold away
 * from them lies inside: ids that the margin must have. Knows nothing of which cells touch, so it judges that too.
 */
export function nearRowsSql(
  pixel: Pixel,
  thresholdArcsec: number,
  primaries: readonly string[],
  { coordinates }: TableShape,
  mostRows: number,
): string {
  const { ra, dec } = pixelCentre(pixel.order, pixel.pixel);
  const radians = (thresholdArcsec / 3600) * (Math.PI / 180);
  const [lon, lat] = [quoteIdentifier(coordinates.ra), quoteIdentifier(coordinates.dec)];
  const toCentre = `2 * asin(least(1, sqrt(pow(sin(radians(${lat} - ${dec}e0) / 2), 2)
    + cos(radians(${lat})) * cos(radians(${dec}e0)) * pow(sin(radians(${lon} - ${ra}e0) / 2), 2))))`;
  const { from, to } = indexRange(pixel);
  const outside = `SELECT objectId, radians(${lon}) AS lon, radians(${lat}) AS lat FROM ${parquetRelation(primaries)}
    WHERE NOT (${insideSql(pixel)}) AND isfinite(${lon}) AND abs(${lat}) <= 90
    AND ${toCentre} <= ${reachRadians(pixel.order) + radians} LIMIT ${mostRows}`;
  const moves = SHARES.flatMap((share) =>
    Array.from({ length: BEARINGS }, (_, turn) => `(${share * radians}e0, ${(2 * Math.PI * turn) / BEARINGS}e0)`),
  );
  const moved = `(SELECT objectId, degrees(asin(new_sine)) AS "dec",
      degrees(lon + atan2(sin(bearing) * sin(far) * cos(lat), cos(far) - sin(lat) * new_sine)) AS ra
    FROM (SELECT *, greatest(-1, least(1, sin(lat) * cos(far) + cos(lat) * sin(far) * cos(bearing))) AS new_sine
      FROM (${outside}), (VALUES ${moves.join(', ')}) moves(far, bearing)))`;
  return `SELECT DISTINCT objectId FROM (${healpix29Sql(moved, 'ra', 'dec')})
    WHERE ${INDEX_COLUMN} >= ${from} AND ${INDEX_COLUMN} < ${to}`;
}
