import { z } from 'zod';
import type { Database } from '#adapters/duckdb.ts';
import { unsortedSql } from '#core/hats/parts-check.ts';
import type { Findings } from '#core/hats/verdict.ts';

/** Asks about the files of one partition, and keeps what it finds about one of its catalogues. */
export class PartitionQueries {
  readonly findings: Findings;
  /** The file that the findings are about. */
  readonly where: string;
  readonly #database: Database;

  constructor(database: Database, where: string, findings: Findings) {
    this.#database = database;
    this.where = where;
    this.findings = findings;
  }

  /** Null when a file cannot be read, which is then among the findings. */
  async rows<T>(sql: string, schema: z.ZodType<T>): Promise<readonly T[] | null> {
    const answer = await attempt(this.#database.rows(sql));
    if (typeof answer !== 'string') return z.array(schema).parse(answer);
    this.findings.add('LEAF_UNREADABLE', this.where, engineSays(answer));
    return null;
  }

  /** One row of counts; empty when the file cannot be read. */
  async counts(sql: string): Promise<Readonly<Record<string, bigint>>> {
    return (await this.rows(sql, z.record(z.string(), z.bigint())))?.[0] ?? {};
  }

  /** One number `n`; 0 when the file cannot be read, which somebody else says. */
  async numberIfReadable(sql: string): Promise<bigint> {
    const answer = await attempt(this.#database.rows(sql));
    return typeof answer === 'string' ? 0n : (z.array(z.object({ n: z.bigint() })).parse(answer)[0]?.n ?? 0n);
  }

  /** Compares rows by a query for `missing` and `foreign` ones. */
  async compare(sql: string): Promise<void> {
    const { missing = 0n, foreign = 0n } = await this.counts(sql);
    if (missing > 0n || foreign > 0n) this.findings.add('PART_ROWS', this.where, rowsDiffer(missing, foreign));
  }

  async sorted(path: string, columns: readonly string[]): Promise<void> {
    const { n = 0n } = await this.counts(unsortedSql(path, columns));
    if (n > 0n) this.findings.add('ROWS_UNSORTED', this.where, `${n} rows come before a row that they should follow.`);
  }
}

export const rowsDiffer = (missing: bigint | number, foreign: bigint | number): string =>
  `${missing} rows of the catalogue are missing, ${foreign} are not those of the catalogue.`;

/** Memory, disk, a stop: the engine's, which say nothing about the file. What else it says of a damaged page varies. */
const ENGINE_FAULT = /^(Out of Memory|Interrupt) Error|No space left|failed to (allocate|offload)/i;

/**
 * What a query over a file gives, or the reason why the file cannot be read: that is a finding.
 * @throws when the engine and not the file is at fault: a short engine must not condemn a sound file.
 */
export async function attempt<T>(promise: Promise<T>): Promise<T | string> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Error) || ENGINE_FAULT.test(error.message)) throw error;
    return error.message.split('\n')[0] ?? error.message;
  }
}

/** Without the names of this machine's files: a finding says which file it is about. */
export const engineSays = (reason: string): string =>
  `DuckDB cannot read it: ${reason.replaceAll(/ "\/[^"]*"/g, '').slice(0, 200)}.`;
