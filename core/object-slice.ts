import { z } from 'zod';
import { sha256 } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import { objectRefSchema } from '#core/job.ts';
import type { ObjectStore } from '#core/ports.ts';

/**
 * A run of bytes of an object, by the content of the run: several things that are made together lie one behind the
 * other in one object, since it is each object that is charged for (docs/adr/0043-one-object-of-a-look.md).
 */
export const objectSliceSchema = objectRefSchema.extend({ offsetBytes: z.int().nonnegative() });
export type ObjectSlice = z.infer<typeof objectSliceSchema>;

/** Where in an object, and how much of it. */
export type ByteRange = Pick<ObjectSlice, 'offsetBytes' | 'sizeBytes'>;

/** Reads a slice with one ranged GET. @throws {TransientError} `DIGEST_MISMATCH` when it is missing or another. */
export async function readSlice(store: Pick<ObjectStore, 'getBytes'>, slice: ObjectSlice): Promise<Uint8Array> {
  const bytes = await store.getBytes(slice.key, slice);
  if (bytes && sha256(bytes) === slice.sha256) return bytes;
  const { key, offsetBytes, sizeBytes } = slice;
  const where = `${sizeBytes} bytes from ${offsetBytes} on of ${key}`;
  throw new TransientError(`the ${where} are ${bytes ? 'not those referred to' : 'missing'}`, {
    code: 'DIGEST_MISMATCH',
    hint: 'It was replaced or damaged. What intake leaves of a chunk is made again when the chunk is uploaded again, with --again.',
  });
}
