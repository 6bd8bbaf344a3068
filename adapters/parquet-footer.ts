import { open } from 'node:fs/promises';
import { type FooterReading, readFooterOfTail, tailBytesNeeded } from '#core/hats/footer-tail.ts';

/** One read usually gets all of a footer: 22 columns and 10 row groups take about 40 kB. */
const TAIL_BYTES = 64 * 1024;

/**
 * Reads a Parquet file's footer with two or three small reads, and looks at the magic bytes at both ends, of which
 * DuckDB ignores the leading ones. A file that is not Parquet is a value, not an exception.
 */
export async function readFooter(path: string): Promise<FooterReading> {
  const { head, tail, sizeBytes } = await readEnds(path);
  if (head.toString('latin1') !== 'PAR1' && sizeBytes >= 4) {
    return { kind: 'defect', defect: 'leading-magic', detail: `the file starts with 0x${head.toString('hex')}` };
  }
  return readFooterOfTail(tail, sizeBytes);
}

/** The end of a Parquet file: its footer, the footer's length and the magic. */
export async function readFooterTail(path: string): Promise<Buffer> {
  const { tail, sizeBytes } = await readEnds(path);
  return tail.subarray(-(tailBytesNeeded(tail, sizeBytes) ?? tail.length));
}

async function readEnds(path: string): Promise<{ head: Buffer; tail: Buffer; sizeBytes: number }> {
  const file = await open(path, 'r');
  try {
    const sizeBytes = (await file.stat()).size;
    const read = async (position: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    };
    const head = await read(0, Math.min(4, sizeBytes));
    const tail = await read(Math.max(0, sizeBytes - TAIL_BYTES), Math.min(sizeBytes, TAIL_BYTES));
    const needed = tailBytesNeeded(tail, sizeBytes) ?? 0;
    return { head, tail: needed > tail.length ? await read(sizeBytes - needed, needed) : tail, sizeBytes };
  } finally {
    await file.close();
  }
}
