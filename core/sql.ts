/** A name for SQL, whatever characters it has: `a"b` becomes `"a""b"`. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text literal for SQL: `it's` becomes `'it''s'`. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * A relation over local Parquet files of one schema. Hive partitions are never guessed: below `Norder=0/Dir=0` DuckDB
 * would otherwise add the columns `Norder` and `Dir`.
 */
export function parquetRelation(paths: readonly string[]): string {
  return `read_parquet([${paths.map(quoteLiteral).join(', ')}], hive_partitioning = false)`;
}
