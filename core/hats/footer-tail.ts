import { type Footer, parseFooter } from '#core/hats/footer.ts';

/** What is wrong with a file's frame, in the order it is looked at. */
type FooterDefect = 'too-short' | 'leading-magic' | 'trailing-magic' | 'footer-length' | 'footer-unreadable';

export type FooterReading =
  | { readonly kind: 'footer'; readonly footer: Footer; readonly sizeBytes: number }
  | { readonly kind: 'defect'; readonly defect: FooterDefect; readonly detail: string };

/** `PAR1` at the start; at the end 4 bytes of footer length and `PAR1`. */
const FRAME_BYTES = 12;
const TRAILER_BYTES = 8;

/** How many bytes at the end of the file hold its footer, judged by any longer or shorter end; null if nonsense. */
export function tailBytesNeeded(tail: Buffer, sizeBytes: number): number | null {
  if (tail.length < TRAILER_BYTES || tail.subarray(-4).toString('latin1') !== 'PAR1') return null;
  const length = tail.readUInt32LE(tail.length - TRAILER_BYTES);
  return length + FRAME_BYTES > sizeBytes ? null : length + TRAILER_BYTES;
}

/**
 * Reads the footer from the end of a Parquet file, for instance from one ranged request.
 * @param tail the last bytes of the file, at least the footer and the 8 bytes behind it.
 * @param sizeBytes of the whole file.
 */
export function readFooterOfTail(tail: Uint8Array, sizeBytes: number): FooterReading {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length);
  if (sizeBytes < FRAME_BYTES) return defect('too-short', `${sizeBytes} bytes cannot be a Parquet file`);
  const magic = bytes.subarray(-4);
  if (magic.toString('latin1') !== 'PAR1') {
    return defect('trailing-magic', `the file ends with 0x${magic.toString('hex')}`);
  }
  const needed = tailBytesNeeded(bytes, sizeBytes);
  if (needed === null) return defect('footer-length', `its footer's length does not fit a file of ${sizeBytes} bytes`);
  if (needed > bytes.length) return defect('footer-length', `its footer takes ${needed} bytes, ${bytes.length} given`);
  try {
    const footer = parseFooter(bytes.subarray(bytes.length - needed, bytes.length - TRAILER_BYTES));
    return { kind: 'footer', footer, sizeBytes };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return defect('footer-unreadable', error.message);
  }
}

function defect(kind: FooterDefect, detail: string): FooterReading {
  return { kind: 'defect', defect: kind, detail };
}
