/** `magnitudes.ts CHUNK FOLDER`: the recipe's arithmetic and encoding alone, without index, order, parts and counts. */
import { join } from 'node:path';
import { parquetRelation, quoteLiteral } from '#adapters/duckdb.ts';
import { PROFILE, RECIPE, withEngine } from '#bench/skinny/engine.ts';
import { canonicalColumnsSql } from '#core/skinny-sql.ts';

const [chunk = '', folder = ''] = process.argv.slice(2);
const canonical = canonicalColumnsSql(parquetRelation([chunk]), PROFILE, RECIPE);
await withEngine(folder, (database) =>
  database.run(
    `COPY (SELECT * EXCLUDE ("primary", extendedness, ebv) FROM (${canonical}))
     TO ${quoteLiteral(join(folder, 'magnitudes.parquet'))} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2)`,
  ),
);
