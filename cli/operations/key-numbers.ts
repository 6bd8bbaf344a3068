import type { Cloud } from '#cli/context.ts';
import { readJson } from '#cli/operations/read-json.ts';
import { readRelease } from '#core/chunk-book.ts';
import { type KeyNumbersRow, keyNumbersKey, keyNumbersSchema } from '#core/key-numbers.ts';

/**
 * Registers what a publisher says of a release; a second time it replaces what was registered before.
 * @throws {InputError} when the file is wrong, or the release is not registered.
 */
export async function registerKeyNumbers(
  cloud: Pick<Cloud, 'table' | 'identity'>,
  path: string,
): Promise<KeyNumbersRow> {
  const numbers = await readJson(path, keyNumbersSchema, 'KEY_NUMBERS_INVALID');
  await readRelease(cloud.table, numbers.release);
  const row = { numbers, registeredAt: new Date().toISOString(), registeredBy: await cloud.identity() };
  const { depth, ...counts } = numbers;
  const item = { ...row, numbers: { ...counts, ...(depth ? { depth: { ...depth } } : {}) } };
  await cloud.table.write([{ kind: 'put', item: { ...keyNumbersKey(numbers.release), ...item } }]);
  return row;
}
