import type { Condition, Item, Key, Page, Table, Value, Write, WriteOutcome } from '#core/table.ts';

/** The metadata table in memory, with the semantics of DynamoDB that ours relies on. */
export class MemoryTable implements Table {
  readonly #rows = new Map<string, Item>();

  async get(key: Key): Promise<Item | null> {
    return structuredClone(this.#rows.get(address(key)) ?? null);
  }

  async query(pk: string, prefix: string, page: { limit?: number; after?: Key } = {}): Promise<Page> {
    const matching = [...this.#rows.values()]
      .filter((row) => row.pk === pk && row.sk.startsWith(prefix) && (!page.after || row.sk > page.after.sk))
      .sort((a, b) => (a.sk < b.sk ? -1 : 1));
    const items = matching.slice(0, page.limit ?? matching.length);
    const last = items.at(-1);
    const cursor = last && items.length < matching.length ? { pk, sk: last.sk } : null;
    return structuredClone({ items, cursor });
  }

  async write(writes: readonly [Write, ...Write[]]): Promise<WriteOutcome> {
    const refused = writes.flatMap((write, position) => (this.#holds(write) ? [] : [position]));
    if (refused.length > 0) return { written: false, refused };
    for (const write of writes) this.#apply(write);
    return { written: true };
  }

  #holds(write: Write): boolean {
    const row = this.#rows.get(address(keyOf(write)));
    return (write.when ?? []).every((condition) => satisfies(row, condition));
  }

  #apply(write: Write): void {
    if (write.kind === 'check') return;
    const key = keyOf(write);
    if (write.kind === 'put') {
      this.#rows.set(address(key), structuredClone(write.item));
      return;
    }
    const next: Record<string, Value> = { ...this.#rows.get(address(key)), ...structuredClone(write.set ?? {}) };
    for (const [name, amount] of Object.entries(write.add ?? {})) {
      const before = next[name];
      next[name] = (typeof before === 'number' ? before : 0) + amount;
    }
    for (const name of write.remove ?? []) delete next[name];
    this.#rows.set(address(key), { ...next, pk: key.pk, sk: key.sk });
  }
}

function keyOf(write: Write): Key {
  return write.kind === 'put' ? { pk: write.item.pk, sk: write.item.sk } : write.key;
}

function address(key: Key): string {
  return JSON.stringify([key.pk, key.sk]);
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
