import { InvariantError } from '#core/errors.ts';

/** A JSON-like attribute value. Numbers are exact up to 2^53. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** One row: its key and its attributes. */
export type Item = Key & { readonly [name: string]: Value };

/** What must hold of the row as it is in the table at the moment of the write. */
export type Condition =
  | { readonly kind: 'absent'; readonly attribute: string }
  | { readonly kind: 'present'; readonly attribute: string }
  | { readonly kind: 'equals'; readonly attribute: string; readonly value: string | number | boolean }
  | { readonly kind: 'oneOf'; readonly attribute: string; readonly values: readonly string[] }
  | { readonly kind: 'atLeast'; readonly attribute: string; readonly value: number };

/** `pk` is on every row, so its absence is the absence of the row. */
export const ROW_IS_NEW: Condition = { kind: 'absent', attribute: 'pk' };
export const ROW_EXISTS: Condition = { kind: 'present', attribute: 'pk' };

export const equals = (attribute: string, value: string | number | boolean): Condition => ({
  kind: 'equals',
  attribute,
  value,
});

interface WriteBase {
  readonly when?: readonly Condition[];
}
export interface PutWrite extends WriteBase {
  readonly kind: 'put';
  readonly item: Item;
}
export interface UpdateWrite extends WriteBase {
  readonly kind: 'update';
  readonly key: Key;
  readonly set?: { readonly [name: string]: Value };
  /** Numbers to add; an attribute that is not there counts as 0. */
  readonly add?: { readonly [name: string]: number };
  readonly remove?: readonly string[];
}
export interface CheckWrite {
  readonly kind: 'check';
  readonly key: Key;
  readonly when: readonly Condition[];
}
export type Write = PutWrite | UpdateWrite | CheckWrite;

/** A refused condition is an expected outcome. `refused` holds the positions of the writes whose conditions failed. */
export type WriteOutcome =
  | { readonly written: true }
  | { readonly written: false; readonly refused: readonly number[] };

export interface Page {
  readonly items: readonly Item[];
  /** Pass it back to go on; null at the end. */
  readonly cursor: Key | null;
}

/** DynamoDB's limit on the rows of one transaction. */
const MOST_WRITES = 100;

/** The row that a write is about. */
export function keyOf(write: Write): Key {
  return write.kind === 'put' ? { pk: write.item.pk, sk: write.item.sk } : write.key;
}

/** One text for one key. */
export function rowAddress(key: Key): string {
  return JSON.stringify([key.pk, key.sk]);
}

/**
 * What every table refuses before it looks at a row, so that no adapter is kinder than another.
 * @throws {InvariantError} `WRITE_MALFORMED`: too many rows, a row twice, an attribute twice, or nothing to do.
 */
export function checkWrites(writes: readonly Write[]): void {
  if (writes.length > MOST_WRITES) throw malformed(`${writes.length} rows; the limit is ${MOST_WRITES}`);
  const rows = new Set(writes.map((write) => rowAddress(keyOf(write))));
  if (rows.size < writes.length) throw malformed('the same row twice');
  for (const write of writes) {
    if (write.kind !== 'update') continue;
    const named = [...Object.keys(write.set ?? {}), ...Object.keys(write.add ?? {}), ...(write.remove ?? [])];
    if (named.length === 0) throw malformed(`an update of ${rowAddress(write.key)} that changes nothing`);
    if (new Set(named).size < named.length || named.includes('pk') || named.includes('sk')) {
      throw malformed(`an update of ${rowAddress(write.key)} that names an attribute twice, or its key`);
    }
  }
}

function malformed(what: string): InvariantError {
  return new InvariantError(`a write has ${what}`, { code: 'WRITE_MALFORMED', hint: 'This is a bug of the caller.' });
}

/**
 * The metadata table. All reads are strongly consistent; `write` is all or nothing, up to 100 rows, each row once.
 * Every adapter passes test/contracts/table.ts.
 */
export interface Table {
  get(key: Key): Promise<Item | null>;
  /**
   * Rows of one partition whose sort key starts with `prefix` (not empty), in the order of the sort key's UTF-8 bytes.
   * A page may be shorter than `limit`, even empty, and still have a cursor.
   */
  query(pk: string, prefix: string, page?: { readonly limit?: number; readonly after?: Key }): Promise<Page>;
  /**
   * @throws {TransientError} when other writers stayed in the way; {InvariantError} `WRITE_MALFORMED`, or
   * `WRITE_UNFIT` when a row does not take such a write, for instance an addition to a text.
   */
  write(writes: readonly [Write, ...Write[]]): Promise<WriteOutcome>;
}

/** All rows under a prefix, a page at a time, so that no caller holds more than a page. */
export async function* scan(table: Table, pk: string, prefix: string, limit = 200): AsyncGenerator<Item> {
  let after: Key | undefined;
  do {
    const page = await table.query(pk, prefix, after ? { limit, after } : { limit });
    yield* page.items;
    after = page.cursor ?? undefined;
  } while (after);
}
