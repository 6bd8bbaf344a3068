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

/**
 * The metadata table. All reads are strongly consistent; `write` is all or nothing, up to 100 rows, each row once.
 * Every adapter passes test/contracts/table.ts.
 */
export interface Table {
  get(key: Key): Promise<Item | null>;
  /** Rows of one partition whose sort key starts with `prefix`, in the order of the sort key. */
  query(pk: string, prefix: string, page?: { readonly limit?: number; readonly after?: Key }): Promise<Page>;
  /** @throws {TransientError} when it is not known whether the write happened, or another writer was in the way. */
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
