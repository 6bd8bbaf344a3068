import { z } from 'zod';
import { type PhotozColumn, SQL_TYPES } from '#core/hats/columns.ts';
import { parquetRelation, quoteIdentifier, quoteLiteral } from '#core/sql.ts';

/**
 * The first row of a leaf, a text per column: DuckDB writes a number as the shortest text that reads back to the same
 * bits, and bytes are in base64. So it fits in a JSON record, and two are equal when their rows are.
 */
export const thumbnailRowSchema = z.array(z.string().nullable()).readonly();
export type ThumbnailRow = z.infer<typeof thumbnailRowSchema>;

/** The rows of a Parquet file in its order, as `row`; `limit` 1 for the first alone, which reads one page a column. */
export function thumbnailRowsSql(path: string, columns: readonly PhotozColumn[], limit?: number): string {
  const texts = columns.map(({ name, datatype }) =>
    datatype === 'unsignedByte' ? `to_base64(${quoteIdentifier(name)})` : `${quoteIdentifier(name)}::VARCHAR`,
  );
  const some = limit === undefined ? '' : ` LIMIT ${limit}`;
  return `SELECT [${texts.join(', ')}] AS row FROM ${parquetRelation([path])}${some}`;
}

/** The rows as a relation with the types of the leaves. */
export function thumbnailSql(rows: readonly ThumbnailRow[], columns: readonly PhotozColumn[]): string {
  const values = rows.map((row) => `(${row.map((text) => (text === null ? 'NULL' : quoteLiteral(text))).join(', ')})`);
  const typed = columns.map(({ name, datatype }, index) => {
    const text = `column${index}::VARCHAR`;
    const value = datatype === 'unsignedByte' ? `from_base64(${text})` : `${text}::${SQL_TYPES[datatype]}`;
    return `${value} AS ${quoteIdentifier(name)}`;
  });
  const names = columns.map((_, index) => `column${index}`);
  return `SELECT ${typed.join(', ')} FROM (VALUES ${values.join(', ')}) rows(${names.join(', ')})`;
}
