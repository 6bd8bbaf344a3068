/** `copy.ts CHUNK FOLDER`: the columns that the recipe reads, into one uncompressed Parquet file. */
import { join } from 'node:path';
import { parquetRelation, quoteIdentifier, quoteLiteral } from '#adapters/duckdb.ts';
import { PROFILE, withEngine } from '#bench/skinny/engine.ts';

const [chunk = '', folder = ''] = process.argv.slice(2);
const { id, ra, dec, bands } = PROFILE;
const columns = [id, ra, dec, ...Object.values(bands).flatMap(({ value, error }) => [value, error])];
await withEngine(folder, (database) =>
  database.run(
    `COPY (SELECT ${columns.map(quoteIdentifier).join(', ')} FROM ${parquetRelation([chunk])})
     TO ${quoteLiteral(join(folder, 'copy.parquet'))} (FORMAT parquet, COMPRESSION uncompressed)`,
  ),
);
