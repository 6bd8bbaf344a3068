import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { z } from 'zod';
import { makeFolder } from '#adapters/folder.ts';
import { JOURNAL_DDL } from '#adapters/journal-rows.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import type { Clock } from '#core/ports.ts';

export interface JournalOptions {
  /** On a local disk: SQLite's locks and WAL do not hold on NFS or Lustre. */
  readonly path: string;
  /** Reads beside a running agent: takes no lock, and writes nothing. */
  readonly readOnly?: boolean;
  readonly clock: Clock;
  /** Called inside and right after every transaction with `{event}:before` and `{event}:after`; tests end us there. */
  readonly faultPoint?: (name: string) => void;
  /** Called after the commit with every event. */
  readonly onEvent?: (workKey: Digest | null, event: string, detail: EventDetail) => void;
}

export type EventDetail = { readonly [key: string]: string | number | boolean | null | readonly number[] };

/** The file, its lock, and the one way to write to it. */
export abstract class JournalDatabase {
  readonly #options: JournalOptions;
  readonly #lock: DatabaseSync | null;
  readonly #database: DatabaseSync;

  /** @throws {InputError} `JOURNAL_LOCKED` when another agent uses the same journal. */
  constructor(options: JournalOptions) {
    this.#options = options;
    if (options.readOnly) {
      this.#lock = null;
      this.#database = new DatabaseSync(options.path, { readOnly: true });
      return;
    }
    makeFolder(dirname(options.path));
    this.#lock = lock(`${options.path}.lock`);
    this.#database = new DatabaseSync(options.path);
    this.#database.exec('pragma journal_mode = wal; pragma synchronous = full;');
    this.#database.exec(JOURNAL_DDL);
  }

  close(): void {
    this.#database.close();
    this.#lock?.close();
  }

  /** Commits `write` together with its event; nothing of either when `write` throws. Not to be nested. */
  transition<T>(workKey: Digest | null, event: string, detail: EventDetail, write: () => T): T {
    this.#database.exec('begin immediate');
    let result: T;
    try {
      result = write();
      this.run('insert into event (at, work_key, event, detail) values (?, ?, ?, ?)', [
        this.now(),
        workKey ?? '',
        event,
        JSON.stringify(detail),
      ]);
      this.#options.faultPoint?.(`${event}:before`);
      this.#database.exec('commit');
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
    this.#options.faultPoint?.(`${event}:after`);
    this.#options.onEvent?.(workKey, event, detail);
    return result;
  }

  protected now(): number {
    return this.#options.clock.now().getTime();
  }

  protected run(sql: string, values: readonly SQLInputValue[]): number {
    return Number(this.#database.prepare(sql).run(...values).changes);
  }

  protected all<T extends z.ZodType>(schema: T, sql: string, values: readonly SQLInputValue[] = []): z.infer<T>[] {
    return this.#database
      .prepare(sql)
      .all(...values)
      .map((row) => schema.parse(row));
  }

  /** The first column of every row. */
  protected texts(sql: string, ...values: readonly SQLInputValue[]): string[] {
    return this.#database
      .prepare(sql)
      .all(...values)
      .map((row) => String(Object.values(row)[0]));
  }
}

function lock(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('begin exclusive');
    return database;
  } catch (cause) {
    database.close();
    throw new InputError(`another agent already uses the journal beside ${path}`, {
      code: 'JOURNAL_LOCKED',
      hint: 'Stop the other agent, or give this one a journal path of its own.',
      cause,
    });
  }
}
