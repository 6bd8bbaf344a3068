import { type DuckDBConnection, DuckDBInstance, type JS } from '@duckdb/node-api';

export { parquetRelation, quoteIdentifier, quoteLiteral } from '#core/sql.ts';

export interface DatabaseOptions {
  /** Threads of the engine; all cores when left out. */
  readonly threads?: number;
  /** What the engine may hold before it spills, as DuckDB writes sizes: `900MiB`. */
  readonly memoryLimit?: string;
  /** Where it spills; without it a query that needs more than `memoryLimit` fails. */
  readonly temporaryFolder?: string;
  /** Whether rows keep the order of their files when nothing sorts them; costs memory. True unless set. */
  readonly preserveInsertionOrder?: boolean;
}

type SqlParameter = null | boolean | number | bigint | string;

/** Column name to value; BIGINT comes as `bigint`, lists as arrays. Parse with zod before use. */
type Row = Readonly<Record<string, JS>>;

export interface Database {
  /** Runs statements and drops their results. Positional parameters: `?` or `$1`. */
  run(sql: string, parameters?: readonly SqlParameter[]): Promise<void>;
  /** All rows of one query, in memory. */
  rows(sql: string, parameters?: readonly SqlParameter[]): Promise<readonly Row[]>;
  /** The rows of one query as they come, for results that need not fit in memory. */
  stream(sql: string, parameters?: readonly SqlParameter[]): AsyncIterable<Row>;
  close(): void;
}

/**
 * Opens an in-memory database. The cache of external files is off, because with it DuckDB 1.5.5 sometimes answers from
 * stale bytes after a file is rewritten in place, and extensions are never fetched from the network.
 */
async function openDatabase(options: DatabaseOptions = {}): Promise<Database> {
  const instance = await DuckDBInstance.create(':memory:', {
    enable_external_file_cache: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    preserve_insertion_order: String(options.preserveInsertionOrder ?? true),
    // An empty folder name switches spilling off; the default would be `.tmp` in the working folder.
    temp_directory: options.temporaryFolder ?? '',
    ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
    ...(options.memoryLimit === undefined ? {} : { memory_limit: options.memoryLimit }),
  });
  return new NodeDatabase(instance, await instance.connect());
}

/** What DuckDB says when it itself, rather than the file, is at fault: memory, disk, or a bug. */
const ENGINE_FAULT = /^(Out of Memory|INTERNAL|FATAL|Interrupt) Error|No space left|failed to (allocate|offload)/i;

/**
 * The reason, in one line, why a file cannot be read; for a caught error of a query over the file.
 * @throws the error itself when the engine and not the file is at fault: a short engine must not condemn a sound file.
 */
export function readingFailure(error: unknown): string {
  if (!(error instanceof Error) || ENGINE_FAULT.test(error.message)) throw error;
  return error.message.split('\n')[0] ?? error.message;
}

/** Opens a database for the time of `use` and closes it whatever happens. */
export async function withDatabase<T>(options: DatabaseOptions, use: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(options);
  try {
    return await use(database);
  } finally {
    database.close();
  }
}

class NodeDatabase implements Database {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  async run(sql: string, parameters: readonly SqlParameter[] = []): Promise<void> {
    await this.#connection.run(sql, [...parameters]);
  }

  async rows(sql: string, parameters: readonly SqlParameter[] = []): Promise<readonly Row[]> {
    const reader = await this.#connection.runAndReadAll(sql, [...parameters]);
    return reader.getRowObjectsJS();
  }

  async *stream(sql: string, parameters: readonly SqlParameter[] = []): AsyncIterable<Row> {
    const result = await this.#connection.stream(sql, [...parameters]);
    for await (const rows of result.yieldRowObjectJs()) yield* rows;
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
