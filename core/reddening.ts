import type { HealpixMap } from '#core/ancillary.ts';
import { healpix29Sql, pixelSql } from '#core/healpix.ts';
import type { Profile } from '#core/profile.ts';
import { quoteIdentifier } from '#core/sql.ts';

/** The column that a chunk gets its E(B-V) in, in magnitudes, where a map says it. */
export const MAP_EBV = 'ponte_map_ebv';

const INDEX = 'ponte_map_index';
const PIXEL = 'ponte_map_pixel';
const [LONGITUDE, LATITUDE] = ['ponte_map_l', 'ponte_map_b'];

/**
 * From ICRS to galactic coordinates: rows of the transposed matrix A_G of the Hipparcos catalogue (ESA SP-1200, vol. 1,
 * eq. 1.5.11); within 20 mas of what astropy has, far below a pixel.
 */
const GALACTIC = [
  [-0.0548755604, -0.8734370902, -0.4838350155],
  [0.4941094279, -0.44482963, 0.7469822445],
  [-0.867666149, -0.1980763734, 0.4559837762],
] as const;

const double = (value: number) => value.toExponential();

/** `source` (a relation) with every row's pixel of the map, by its number there. NULL where a row has no place. */
export function mapPixelSql(source: string, { ra, dec }: Pick<Profile, 'ra' | 'dec'>, map: HealpixMap): string {
  const galactic = map.frame === 'galactic';
  const placed = galactic ? `(${galacticSql(source, ra, dec)})` : source;
  const [longitude, latitude] = galactic ? [LONGITUDE, LATITUDE] : [ra, dec];
  const indexed = healpix29Sql(placed, longitude, latitude, { as: INDEX });
  const scratch = galactic ? [INDEX, LONGITUDE, LATITUDE] : [INDEX];
  const nested = `SELECT * EXCLUDE (${scratch.join(', ')}), ${pixelSql(INDEX, map.order)} AS ${PIXEL} FROM (${indexed})`;
  return map.scheme === 'nested' ? nested : ringSql(nested, map.order);
}

/** The distinct pixels of a map that the rows of `source` lie in: `pixel`, `value`; `map` is a relation. */
export function neededPixelsSql(source: string, profile: Profile, map: HealpixMap, file: string): string {
  const [pixel, value] = [quoteIdentifier(map.pixel), quoteIdentifier(map.value)];
  return `SELECT ${pixel}::BIGINT AS pixel, ${value}::DOUBLE AS value FROM ${file}
    WHERE ${pixel}::BIGINT IN (SELECT DISTINCT ${PIXEL} FROM (${mapPixelSql(source, profile, map)}))`;
}

/** `source` with the column `MAP_EBV`, of the nearest pixel in `pixels` (a table like `neededPixelsSql` gives). */
export function reddenedSql(source: string, profile: Profile, map: HealpixMap, pixels: string): string {
  return `(SELECT placed.* EXCLUDE (${PIXEL}), pixels.value AS ${MAP_EBV}
    FROM (${mapPixelSql(source, profile, map)}) AS placed LEFT JOIN ${pixels} AS pixels ON pixels.pixel = placed.${PIXEL})`;
}

function galacticSql(source: string, ra: string, dec: string): string {
  const [alpha, delta] = [ra, dec].map((name) => `${quoteIdentifier(name)}::DOUBLE`);
  const usable = `isfinite(${alpha}) AND isfinite(${delta}) AND abs(${delta}) <= 90e0`;
  const axis = ([x, y, z]: readonly [number, number, number]) =>
    `(${double(x)} * ponte_x + ${double(y)} * ponte_y + ${double(z)} * ponte_z)`;
  const stages = [
    `*, CASE WHEN ${usable} THEN radians(${alpha}) END AS ponte_alpha, CASE WHEN ${usable} THEN radians(${delta}) END AS ponte_delta`,
    `*, cos(ponte_delta) * cos(ponte_alpha) AS ponte_x, cos(ponte_delta) * sin(ponte_alpha) AS ponte_y, sin(ponte_delta) AS ponte_z`,
    `* EXCLUDE (ponte_alpha, ponte_delta, ponte_x, ponte_y, ponte_z),
     degrees(atan2(${axis(GALACTIC[1])}, ${axis(GALACTIC[0])})) AS ${LONGITUDE},
     degrees(asin(greatest(-1e0, least(1e0, ${axis(GALACTIC[2])})))) AS ${LATITUDE}`,
  ];
  return stages.reduce((relation, stage) => `(SELECT ${stage} FROM ${relation})`, source).slice(1, -1);
}

/** Steps that bring every other bit together: the inverse of what makes a Morton number. */
const GATHERS = [
  { shift: 1, mask: 0x3333333333333333n },
  { shift: 2, mask: 0x0f0f0f0f0f0f0f0fn },
  { shift: 4, mask: 0x00ff00ff00ff00ffn },
  { shift: 8, mask: 0x0000ffff0000ffffn },
  { shift: 16, mask: 0x00000000ffffffffn },
];
const EVEN_BITS = 0x5555555555555555n;

/**
 * `nested` (a SELECT) with `PIXEL` as its number in the RING scheme, from north to south along rings of equal latitude:
 * Gorski et al. (2005, ApJ 622, 759), sect. 4.1 and 5.2. `ring` counts the rings from 1, `long` is the pixels in a
 * quarter of it, and of the `face` `row` and `column` are the coordinates, up to the north.
 */
function ringSql(nested: string, order: number): string {
  const side = 2 ** order;
  const cap = 2 * side * (side - 1);
  const pixels = 12 * side * side;
  const stages = [
    `*, ${PIXEL} >> ${2 * order} AS ponte_face, ${PIXEL} & ${EVEN_BITS & (4n ** BigInt(order) - 1n)} AS ponte_i,
     (${PIXEL} >> 1) & ${EVEN_BITS & (4n ** BigInt(order) - 1n)} AS ponte_j`,
    ...GATHERS.map(
      ({ shift, mask }) =>
        `* REPLACE ((ponte_i | (ponte_i >> ${shift})) & ${mask} AS ponte_i, (ponte_j | (ponte_j >> ${shift})) & ${mask} AS ponte_j)`,
    ),
    `*, (2 + (ponte_face >> 2)) * ${side} - ponte_i - ponte_j - 1 AS ponte_ring,
     CASE WHEN ponte_face BETWEEN 4 AND 7 THEN 2 * (ponte_face - 4) ELSE 2 * (ponte_face & 3) + 1 END AS ponte_turn`,
    `*, least(ponte_ring, ${side}, ${4 * side} - ponte_ring) AS ponte_long,
     CASE WHEN ponte_ring BETWEEN ${side} AND ${3 * side} THEN (ponte_ring - ${side}) & 1 ELSE 0 END AS ponte_shifted`,
    `*, (ponte_turn * ponte_long + ponte_i - ponte_j + 1 + ponte_shifted) // 2 AS ponte_place,
     CASE WHEN ponte_ring < ${side} THEN 2 * ponte_long * (ponte_long - 1)
          WHEN ponte_ring > ${3 * side} THEN ${pixels} - 2 * (ponte_long + 1) * ponte_long
          ELSE ${cap} + (ponte_ring - ${side}) * ${4 * side} END AS ponte_before`,
    `* EXCLUDE (ponte_face, ponte_i, ponte_j, ponte_ring, ponte_turn, ponte_long, ponte_shifted, ponte_place, ponte_before)
     REPLACE (ponte_before - 1 + CASE WHEN ponte_place > ${4 * side} THEN ponte_place - ${4 * side}
                                      WHEN ponte_place < 1 THEN ponte_place + ${4 * side} ELSE ponte_place END AS ${PIXEL})`,
  ];
  return stages.reduce((relation, stage) => `(SELECT ${stage} FROM ${relation})`, `(${nested})`).slice(1, -1);
}
