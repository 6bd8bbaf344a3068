import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { InputError } from '#core/errors.ts';

/**
 * A document that an operator wrote, checked.
 * @throws {InputError} with `code`, naming the file and the first field that is wrong.
 */
export async function readJson<T>(path: string, schema: z.ZodType<T>, code: string): Promise<T> {
  try {
    const parsed = schema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'invalid'}`);
  } catch (cause) {
    throw new InputError(`${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      code,
      hint: 'Mend that field; docs/operator.md describes the file.',
      cause,
    });
  }
}
