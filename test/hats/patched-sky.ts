import { type Sky, uniform } from './synthetic-catalogue.ts';

/**
 * Patches of 3 arcmin where tiles meet: both poles, a corner of three base cells, a corner in the belt, the seam of
 * two quadrants beyond 60 degrees, and a tile's vertex at |dec| > 60.
 */
export const PATCHES: readonly (readonly [number, number])[] = [
  [12, 89.999],
  [200, -89.999],
  [0, 41.81031489577862],
  [45, 0],
  [90, 72.5],
  [45, 66.44353569089877],
];

/** Even in the patch: the distance from its middle as the square root of a uniform number. */
export function patchedSky(patches: typeof PATCHES): Sky {
  const pick = (index: 0 | 1) =>
    `[${patches.map((patch) => `${patch[index]}e0`).join(', ')}][1 + i % ${patches.length}]`;
  const radius = `(0.05e0 * sqrt(${uniform(1)}))`;
  const bearing = `(2 * pi() * ${uniform(2)})`;
  const sinDec = `(sin(radians(${pick(1)})) * cos(radians(${radius}))
    + cos(radians(${pick(1)})) * sin(radians(${radius})) * cos(${bearing}))`;
  const turn = `degrees(atan2(sin(${bearing}) * sin(radians(${radius})) * cos(radians(${pick(1)})),
    cos(radians(${radius})) - sin(radians(${pick(1)})) * ${sinDec}))`;
  return { ra: `((${pick(0)} + ${turn} + 360) % 360)`, dec: `degrees(asin(${sinDec}))` };
}
