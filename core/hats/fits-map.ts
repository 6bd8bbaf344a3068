import { pixelCount } from '#core/healpix.ts';

/** FITS files come in blocks of 2,880 bytes; a header line (card) has 80. */
const BLOCK = 2880;
const CARD = 80;

/**
 * A sky map of counts as FITS, as `hats` and `cdshealpix` read it: one binary table, NESTED, with a row per occupied
 * pixel (EXPLICIT), or a row per pixel when at least half are occupied (IMPLICIT, the smaller form then).
 *
 * @param counts [pixel, count] in ascending order of pixels.
 */
export function fitsMap(order: number, counts: readonly (readonly [number, number])[]): Uint8Array {
  const total = pixelCount(order);
  const explicit = counts.length * 2 < total;
  const rows = explicit ? counts.length : total;
  const rowBytes = explicit ? 16 : 8;
  const columns = explicit ? ['PIXEL', 'VALUE'] : ['VALUE'];
  const scheme = explicit
    ? [card('INDXSCHM', 'EXPLICIT'), card('OBS_NPIX', counts.length)]
    : [card('INDXSCHM', 'IMPLICIT'), card('FIRSTPIX', 0), card('LASTPIX', total - 1), card('OBJECT', 'FULLSKY')];
  const primary = header([card('SIMPLE', true), card('BITPIX', 8), card('NAXIS', 0), card('EXTEND', true)]);
  const table = header([
    card('XTENSION', 'BINTABLE'),
    ...[card('BITPIX', 8), card('NAXIS', 2), card('NAXIS1', rowBytes), card('NAXIS2', rows)],
    ...[card('PCOUNT', 0), card('GCOUNT', 1), card('TFIELDS', columns.length)],
    ...columns.flatMap((name, index) => [card(`TTYPE${index + 1}`, name), card(`TFORM${index + 1}`, 'K')]),
    ...[card('PIXTYPE', 'HEALPIX'), ...scheme, card('ORDERING', 'NESTED'), card('COORDSYS', 'C')],
    ...[card('NSIDE', 2 ** order), card('ORDER', order), card('EXTNAME', 'xtension')],
  ]);
  const bytes = new Uint8Array(primary.length + table.length + Math.ceil((rows * rowBytes) / BLOCK) * BLOCK);
  bytes.set(primary);
  bytes.set(table, primary.length);
  const data = new DataView(bytes.buffer, primary.length + table.length);
  for (const [row, [pixel, count]] of counts.entries()) {
    if (explicit) data.setBigInt64(row * 16, BigInt(pixel));
    data.setBigInt64(explicit ? row * 16 + 8 : pixel * 8, BigInt(count));
  }
  return bytes;
}

function card(key: string, value: string | number | boolean): string {
  const text =
    typeof value === 'string'
      ? `'${value.padEnd(8)}'`
      : (typeof value === 'boolean' ? (value ? 'T' : 'F') : String(value)).padStart(20);
  return `${key.padEnd(8)}= ${text}`.padEnd(CARD);
}

function header(cards: readonly string[]): Uint8Array {
  const text = [...cards, 'END'.padEnd(CARD)].join('');
  return new TextEncoder().encode(text.padEnd(Math.ceil(text.length / BLOCK) * BLOCK));
}
