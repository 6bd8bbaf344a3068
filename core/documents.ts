import type { z } from 'zod';
import { sha256 } from '#core/digest.ts';
import { InvariantError, TransientError } from '#core/errors.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ObjectStore } from '#core/ports.ts';

/** Reads a text by reference, checked against its digest. @throws {TransientError} `DIGEST_MISMATCH`. */
export async function readText(store: Pick<ObjectStore, 'getBytes'>, ref: ObjectRef): Promise<string> {
  const bytes = await store.getBytes(ref.key);
  if (!bytes || sha256(bytes) !== ref.sha256) {
    throw new TransientError(`the document ${ref.key} is ${bytes ? 'not the one referred to' : 'missing'}`, {
      code: 'DIGEST_MISMATCH',
      hint: 'It was replaced or damaged; the step is tried again.',
    });
  }
  return new TextDecoder().decode(bytes);
}

/**
 * Reads a JSON document by reference, checked against its digest and its schema.
 * @throws {TransientError} `DIGEST_MISMATCH`, and {InvariantError} when it is not of the schema.
 */
export async function readDocument<T>(
  store: Pick<ObjectStore, 'getBytes'>,
  ref: ObjectRef,
  schema: z.ZodType<T>,
): Promise<T> {
  const parsed = schema.safeParse(JSON.parse(await readText(store, ref)));
  if (parsed.success) return parsed.data;
  throw new InvariantError(`the document ${ref.key} is not what this version writes`, {
    code: 'DOCUMENT_UNREADABLE',
    hint: 'It was written by another version of Ponte; start the campaign again.',
    cause: parsed.error,
  });
}

/** A JSON document by its key alone, which no digest names; null when there is none. @throws {ZodError} */
export async function findDocument<T>(
  store: Pick<ObjectStore, 'getBytes'>,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | null> {
  const bytes = await store.getBytes(key);
  return bytes && schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
}

export function writeDocument(
  store: Pick<ObjectStore, 'putBytes'>,
  key: string,
  document: unknown,
): Promise<ObjectRef> {
  return store.putBytes(key, new TextEncoder().encode(`${JSON.stringify(document)}\n`), 'application/json');
}
