/*
 * Which pixels touch which, in the NESTED scheme. Faces and their seams are those of Górski et al. (2005, ApJ 622, 759),
 * figure 4; test/hats/neighbours.test.ts compares every pixel of several orders with cdshealpix.
 */

/** A step to one of the eight neighbours: x grows to the north-east, y to the north-west. */
const STEPS = [
  [-1, -1],
  [0, -1],
  [1, -1],
  [-1, 0],
  [1, 0],
  [-1, 1],
  [0, 1],
  [1, 1],
] as const;

/** Face on the other side of a seam, by direction (3 * (y + 1) + x + 1) and face; -1 where only three faces meet. */
const FACE_BEYOND = [
  [8, 9, 10, 11, -1, -1, -1, -1, 10, 11, 8, 9],
  [5, 6, 7, 4, 8, 9, 10, 11, 9, 10, 11, 8],
  [-1, -1, -1, -1, 5, 6, 7, 4, -1, -1, -1, -1],
  [4, 5, 6, 7, 11, 8, 9, 10, 11, 8, 9, 10],
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  [1, 2, 3, 0, 0, 1, 2, 3, 5, 6, 7, 4],
  [-1, -1, -1, -1, 7, 4, 5, 6, -1, -1, -1, -1],
  [3, 0, 1, 2, 3, 0, 1, 2, 4, 5, 6, 7],
  [2, 3, 0, 1, -1, -1, -1, -1, 0, 1, 2, 3],
] as const;

/** What a seam does to the coordinates, by direction and by third of the faces: 1 mirrors x, 2 mirrors y, 4 swaps. */
const SEAM = [
  [0, 0, 3],
  [0, 0, 6],
  [0, 0, 0],
  [0, 0, 5],
  [0, 0, 0],
  [5, 0, 0],
  [0, 0, 0],
  [6, 0, 0],
  [3, 0, 0],
] as const;

interface Place {
  readonly face: number;
  readonly x: number;
  readonly y: number;
}

/**
 * The pixels at `order` (of at most 24) that touch the pixel `pixel` of `pixelOrder`, also at a corner only, without
 * those inside it. Ascending. There are 4 * 2^(order - pixelOrder) + 4 of them, or up to two fewer at corners where
 * three faces meet.
 */
export function ringAround(pixelOrder: number, pixel: number, order: number): readonly number[] {
  const side = 2 ** (order - pixelOrder);
  const inner = place(pixelOrder, pixel);
  const [left, low] = [inner.x * side, inner.y * side];
  const ring = new Set<number>();
  for (let step = -1; step <= side; step++) {
    for (const [x, y] of [
      [left + step, low - 1],
      [left + step, low + side],
      [left - 1, low + step],
      [left + side, low + step],
    ] as const) {
      const found = pixelAt({ face: inner.face, x, y }, order);
      if (found !== null) ring.add(found);
    }
  }
  return [...ring].sort((a, b) => a - b);
}

/** The up to eight pixels around one. */
export function neighbours(order: number, pixel: number): readonly number[] {
  const { face, x, y } = place(order, pixel);
  const found = STEPS.flatMap(([dx, dy]) => pixelAt({ face, x: x + dx, y: y + dy }, order) ?? []);
  return [...new Set(found)].sort((a, b) => a - b);
}

/** The pixel at coordinates that may lie one step beyond their face; null where there is none. */
function pixelAt({ face, x, y }: Place, order: number): number | null {
  const size = 2 ** order;
  const column = x < 0 ? 0 : x < size ? 1 : 2;
  const row = y < 0 ? 0 : y < size ? 1 : 2;
  const direction = 3 * row + column;
  const beyond = FACE_BEYOND[direction]?.[face] ?? -1;
  if (beyond < 0) return null;
  const seam = SEAM[direction]?.[Math.floor(face / 4)] ?? 0;
  const inX = (x + size) % size;
  const inY = (y + size) % size;
  const mirroredX = seam & 1 ? size - 1 - inX : inX;
  const mirroredY = seam & 2 ? size - 1 - inY : inY;
  const [outX, outY] = seam & 4 ? [mirroredY, mirroredX] : [mirroredX, mirroredY];
  return beyond * size * size + interleave(outX, outY, order);
}

/** Longitude and latitude of a pixel's centre, degrees (Górski et al. 2005, equations 2 to 9). */
export function pixelCentre(order: number, pixel: number): { readonly ra: number; readonly dec: number } {
  const size = 2 ** order;
  const { face, x, y } = place(order, pixel);
  const row = (2 + Math.floor(face / 4)) * size - x - y - 1;
  const inCap = row < size ? row : row > 3 * size ? 4 * size - row : size;
  const cap = 1 - inCap ** 2 / (3 * size ** 2);
  const sine = row < size ? cap : row > 3 * size ? -cap : ((2 * size - row) * 2) / (3 * size);
  // The middle of a base cell, in units of 45 degrees: odd in the caps, even in the belt.
  const middle = (face % 4) * 2 + (face >= 4 && face < 8 ? 0 : 1);
  const turn = 45 * (middle + (x - y) / inCap);
  return { ra: (turn + 360) % 360, dec: (Math.asin(sine) * 180) / Math.PI };
}

function place(order: number, pixel: number): Place {
  const size = 2 ** order;
  let inside = pixel % (size * size);
  let [x, y] = [0, 0];
  for (let bit = 1; bit < size; bit *= 2) {
    x += (inside % 2) * bit;
    y += (Math.floor(inside / 2) % 2) * bit;
    inside = Math.floor(inside / 4);
  }
  return { face: Math.floor(pixel / (size * size)), x, y };
}

/** Arithmetic rather than shifts: a pixel of order 13 and more has over 31 bits. */
function interleave(x: number, y: number, order: number): number {
  let result = 0;
  for (let bit = 0; bit < order; bit++) {
    result += ((x >> bit) & 1) * 4 ** bit + ((y >> bit) & 1) * 2 * 4 ** bit;
  }
  return result;
}
