import { quoteIdentifier } from '#core/sql.ts';

/** The order of the index `_healpix_29`, the deepest that fits 64 bits: pixels of 0.4 milliarcseconds. */
export const INDEX_ORDER = 29;

/** The column that HATS readers look for. */
export const INDEX_COLUMN = '_healpix_29';

export interface Pixel {
  readonly order: number;
  /** NESTED pixel number, below 12 * 4^order; exact as a number up to order 24. */
  readonly pixel: number;
}

/** How many pixels cover the sphere: 12 * 4^order. */
export function pixelCount(order: number): number {
  return 12 * 4 ** order;
}

/** The pixel at `toOrder` (at most `pixel.order`) that holds `pixel`. */
export function ancestor(pixel: Pixel, toOrder: number): Pixel {
  return { order: toOrder, pixel: Math.floor(pixel.pixel / 4 ** (pixel.order - toOrder)) };
}

/** The half-open range of `_healpix_29` values inside a pixel. */
export function indexRange({ order, pixel }: Pixel): { readonly from: bigint; readonly to: bigint } {
  const shift = BigInt(2 * (INDEX_ORDER - order));
  return { from: BigInt(pixel) << shift, to: (BigInt(pixel) + 1n) << shift };
}

/** An expression for the pixel number at `order` of an expression that holds `_healpix_29`. */
export function pixelSql(index: string, order: number): string {
  return `(${index} >> ${2 * (INDEX_ORDER - order)})`;
}

interface Healpix29Options {
  /** Name of the new column, for instance when the relation already has a `_healpix_29` to compare with. */
  readonly as?: string;
}

/**
 * A SELECT over `source` (a table, or a relation in parentheses) that yields all its columns and, last, the NESTED
 * HEALPix index of order 29 of the columns `ra` and `dec` (names, not expressions; degrees, ra on any turn). The index
 * is NULL where a coordinate is missing, not finite, or |dec| > 90.
 *
 * The formula is the projection form of Calabretta & Roukema (2007, MNRAS 381, 865), with the roundings and ties of
 * the CDS library, so the result is bit for bit what `cdshealpix` and `hats` compute (test/hats/healpix.test.ts); one
 * exception: ra = -0.0 counts as +0.0, where theirs depends on the rest of the array. One stage names each
 * intermediate value once; as one nested expression the text and the work would grow exponentially. Constants carry an
 * exponent because DuckDB reads `1.5` as DECIMAL, and finiteness is checked first because `cos(inf)` is an error.
 */
export function healpix29Sql(source: string, ra: string, dec: string, options: Healpix29Options = {}): string {
  const column = quoteIdentifier(options.as ?? INDEX_COLUMN);
  const [lon, lat] = [quoteIdentifier(ra), quoteIdentifier(dec)];
  const usable = `isfinite(${lon}::DOUBLE) AND isfinite(${lat}::DOUBLE) AND abs(${lat}::DOUBLE) <= 90e0`;
  const stages = [
    // Degrees, ra on [0, 360) give or take a rounding, which the next stage removes.
    `*, CASE WHEN ${usable} THEN ${lon}::DOUBLE - floor(${lon}::DOUBLE / 360e0) * 360e0 END AS hpx_turn,
        CASE WHEN ${usable} THEN ${lat}::DOUBLE * ${DEGREE} END AS hpx_lat`,
    // x: longitude in units of 45 degrees.
    `*, (CASE WHEN hpx_turn >= 360e0 THEN hpx_turn - 360e0 ELSE hpx_turn END) * ${DEGREE} * ${FOUR_OVER_PI} AS hpx_x`,
    '*, floor(hpx_x)::BIGINT | 1 AS hpx_odd',
    // u: offset from the middle of the quadrant, -1..1. cap: -1 south, 0 equatorial belt, 1 north.
    `*, hpx_x - hpx_odd::DOUBLE AS hpx_u, (hpx_odd & 7) >> 1 AS hpx_quadrant,
        CASE WHEN hpx_lat > ${TRANSITION} THEN 1 WHEN hpx_lat < -${TRANSITION} THEN -1 ELSE 0 END AS hpx_cap`,
    // v: sqrt(3 (1 - |sin(lat)|)) in a cap, 1.5 sin(lat) in the belt.
    `*, CASE hpx_cap WHEN 1 THEN ${SQRT_6} * cos(hpx_lat / 2e0 + ${QUARTER_PI})
                     WHEN -1 THEN ${SQRT_6} * cos(hpx_lat / 2e0 - ${QUARTER_PI})
                     ELSE sin(hpx_lat) * 1.5e0 END AS hpx_v`,
    // Which of the four base cells that meet in a quadrant of the belt: right of the rising and falling diagonals.
    '*, (hpx_u > hpx_v)::BIGINT AS hpx_rising, (hpx_u >= -hpx_v)::BIGINT AS hpx_falling',
    // Base cell, and the coordinates inside it, l across and h up.
    `*, CASE hpx_cap WHEN 1 THEN hpx_quadrant WHEN -1 THEN hpx_quadrant + 8
          ELSE ((hpx_rising + 1 - hpx_falling) << 2) + ((hpx_quadrant + (hpx_rising & hpx_falling)) & 3) END AS hpx_cell,
        CASE WHEN hpx_cap <> 0 THEN hpx_u * hpx_v
          ELSE hpx_u - (hpx_rising + hpx_falling - 1)::DOUBLE END AS hpx_l,
        CASE hpx_cap WHEN 1 THEN 2e0 - hpx_v WHEN -1 THEN hpx_v
          ELSE hpx_v + (hpx_rising + 1 - hpx_falling)::DOUBLE END AS hpx_h`,
    // Row and column: half of 2^29 per unit; roundings just outside the cell go back in.
    `*, ${cellAxisSql('hpx_h + hpx_l')} AS hpx_i, ${cellAxisSql('hpx_h - hpx_l')} AS hpx_j`,
    ...SPREADS.map(
      ({ shift, mask }) =>
        `* REPLACE ((hpx_i | (hpx_i << ${shift})) & ${mask} AS hpx_i, (hpx_j | (hpx_j << ${shift})) & ${mask} AS hpx_j)`,
    ),
    `* EXCLUDE (${SCRATCH.join(', ')}), (hpx_cell << ${2 * INDEX_ORDER}) | hpx_i | (hpx_j << 1) AS ${column}`,
  ];
  return stages.reduce((relation, stage) => `(SELECT ${stage} FROM ${relation})`, source).slice(1, -1);
}

const SCRATCH = [
  ...['hpx_turn', 'hpx_lat', 'hpx_x', 'hpx_odd', 'hpx_u', 'hpx_quadrant', 'hpx_cap', 'hpx_v', 'hpx_rising'],
  ...['hpx_falling', 'hpx_cell', 'hpx_l', 'hpx_h', 'hpx_i', 'hpx_j'],
];

/** Doubles in the shortest text that reads back to the same bits; 17 digits always do. */
const exact = (value: number): string => value.toExponential(16);
const DEGREE = exact(Math.PI / 180);
const FOUR_OVER_PI = exact(4 / Math.PI);
const QUARTER_PI = exact(Math.PI / 4);
/** sqrt(6), correctly rounded. */
const SQRT_6 = exact(Math.sqrt(6));
/** arcsin(2/3), where caps and belt meet; the CDS library's literal, because `Math.asin` may differ in its last bit. */
const TRANSITION = '7.297276562269663634e-1';

/** Truncates by `floor`, because DuckDB's cast to BIGINT rounds. */
function cellAxisSql(sum: string): string {
  return `least(greatest(floor((${sum}) * ${2 ** (INDEX_ORDER - 1)}e0)::BIGINT, 0), ${2 ** INDEX_ORDER - 1})`;
}

/** Steps that put a zero between every two of the lower 32 bits (Morton order). */
const SPREADS = [
  { shift: 16, mask: 0x0000ffff0000ffffn },
  { shift: 8, mask: 0x00ff00ff00ff00ffn },
  { shift: 4, mask: 0x0f0f0f0f0f0f0f0fn },
  { shift: 2, mask: 0x3333333333333333n },
  { shift: 1, mask: 0x5555555555555555n },
];
