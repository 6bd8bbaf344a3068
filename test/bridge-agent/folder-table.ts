import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { MemoryTable } from '#adapters/memory-table.ts';
import { type Item, type Key, keyOf, type Page, type Table, type Write, type WriteOutcome } from '#core/table.ts';

const rowSchema = z.object({ item: z.string() });
const itemSchema: z.ZodType<Item> = z.intersection(
  z.object({ pk: z.string(), sk: z.string() }),
  z.record(z.string(), z.json()),
);

/** Many times what one look or write takes, also on a machine that is busy. */
const LOCK_MILLISECONDS = 3000;

/** The table in memory, kept in a file that agents in several processes share. */
export class FolderTable implements Table {
  readonly #path: string;
  /** One at a time in this process; SQLite's lock does the same between processes. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  get(key: Key): Promise<Item | null> {
    return this.#withRows((rows) => rows.get(key));
  }

  query(pk: string, prefix: string, page?: { limit?: number; after?: Key }): Promise<Page> {
    return this.#withRows((rows) => rows.query(pk, prefix, page));
  }

  write(writes: readonly [Write, ...Write[]]): Promise<WriteOutcome> {
    return this.#withRows(async (rows, database) => {
      const outcome = await rows.write(writes);
      for (const write of writes) {
        const { pk, sk } = keyOf(write);
        const item = await rows.get({ pk, sk });
        if (outcome.written && item !== null) {
          database.prepare('insert or replace into item values (?, ?, ?)').run(pk, sk, JSON.stringify(item));
        }
      }
      return outcome;
    });
  }

  /** Whether somebody can use the table: a process that is frozen at the wrong moment keeps the lock of its file, which no real table knows. */
  isFree(): boolean {
    const database = new DatabaseSync(this.#path, { timeout: LOCK_MILLISECONDS });
    try {
      database.exec('begin exclusive');
      database.exec('rollback');
      return true;
    } catch {
      return false;
    } finally {
      database.close();
    }
  }

  #withRows<T>(act: (rows: MemoryTable, database: DatabaseSync) => Promise<T>): Promise<T> {
    const next = this.#last.then(async () => {
      const database = new DatabaseSync(this.#path, { timeout: 10_000 });
      try {
        database.exec('begin exclusive');
        database.exec('create table if not exists item (pk text, sk text, item text, primary key (pk, sk))');
        const rows = new MemoryTable();
        for (const row of database.prepare('select item from item').all()) {
          await rows.write([{ kind: 'put', item: itemSchema.parse(JSON.parse(rowSchema.parse(row).item)) }]);
        }
        const result = await act(rows, database);
        database.exec('commit');
        return result;
      } finally {
        database.close();
      }
    });
    this.#last = next.catch(() => undefined);
    return next;
  }
}
