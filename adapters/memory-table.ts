import { InvariantError } from '#core/errors.ts';
import {
  type Condition,
  checkWrites,
  type Item,
  type Key,
  keyOf,
  type Page,
  rowAddress,
  type Table,
  type Value,
  type Write,
  type WriteOutcome,
} from '#core/table.ts';

/** The metadata table in memory, with the semantics of DynamoDB that ours relies on. */
export class MemoryTable implements Table {
  readonly #rows = new Map<string, Item>();

  async get(key: Key): Promise<Item | null> {
    return structuredClone(this.#rows.get(rowAddress(key)) ?? null);
  }

  async query(pk: string, prefix: string, page: { limit?: number; after?: Key } = {}): Promise<Page> {
    const matching = [...this.#rows.values()]
      .filter((row) => row.pk === pk && row.sk.startsWith(prefix))
      .filter((row) => !page.after || byBytes(row.sk, page.after.sk) > 0)
      .sort((a, b) => byBytes(a.sk, b.sk));
    const items = matching.slice(0, page.limit ?? matching.length);
    const last = items.at(-1);
    const cursor = last && items.length < matching.length ? { pk, sk: last.sk } : null;
    return structuredClone({ items, cursor });
  }

  async write(writes: readonly [Write, ...Write[]]): Promise<WriteOutcome> {
    checkWrites(writes);
    const refused = writes.flatMap((write, position) => (this.#holds(write) ? [] : [position]));
    if (refused.length > 0) return { written: false, refused };
    const rows = writes.flatMap((write) => this.#after(write) ?? []);
    for (const row of rows) this.#rows.set(rowAddress(row), row);
    return { written: true };
  }

  #holds(write: Write): boolean {
    const row = this.#rows.get(rowAddress(keyOf(write)));
    return (write.when ?? []).every((condition) => satisfies(row, condition));
  }

  /** The row as the write leaves it. */
  #after(write: Write): Item | null {
    if (write.kind === 'check') return null;
    if (write.kind === 'put') return structuredClone(write.item);
    const next: Record<string, Value> = {
      ...this.#rows.get(rowAddress(write.key)),
      ...structuredClone(write.set ?? {}),
    };
    for (const [name, amount] of Object.entries(write.add ?? {})) {
      const before = next[name] === undefined ? 0 : next[name];
      if (typeof before !== 'number') throw unfit(name);
      next[name] = before + amount;
    }
    for (const name of write.remove ?? []) delete next[name];
    return { ...next, pk: write.key.pk, sk: write.key.sk };
  }
}

function unfit(name: string): InvariantError {
  return new InvariantError(`the table refused the write: ${name} is not a number`, {
    code: 'WRITE_UNFIT',
    hint: 'This is a bug of the caller, or the row is of another version.',
  });
}

/** DynamoDB's order of strings. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function satisfies(row: Item | undefined, condition: Condition): boolean {
  const value = row?.[condition.attribute];
  switch (condition.kind) {
    case 'absent':
      return value === undefined;
    case 'present':
      return value !== undefined;
    case 'equals':
      return value === condition.value;
    case 'oneOf':
      return typeof value === 'string' && condition.values.includes(value);
    case 'atLeast':
      return typeof value === 'number' && value >= condition.value;
  }
}
