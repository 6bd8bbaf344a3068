/** `steps.ts CHUNK FOLDER STEP`: the derivation up to a step, so that the difference of two is what a step costs. */
import { parquetRelation } from '#adapters/duckdb.ts';
import { PROFILE, RECIPE, withEngine } from '#bench/skinny/engine.ts';
import { healpix29Sql, INDEX_COLUMN } from '#core/healpix.ts';
import { canonicalColumnsSql } from '#core/skinny-sql.ts';

const [chunk = '', folder = '', step = ''] = process.argv.slice(2);
const canonical = `(SELECT * EXCLUDE ("primary", extendedness, ebv) FROM (${canonicalColumnsSql(parquetRelation([chunk]), PROFILE, RECIPE)}))`;
const indexed = `(${healpix29Sql(canonical, 'ra', 'dec')})`;
const statements: Readonly<Record<string, string>> = {
  start: 'SELECT 1',
  arithmetic: `SELECT max(COLUMNS(*)) FROM ${canonical}`,
  index: `SELECT max(COLUMNS(*)) FROM ${indexed}`,
  table: `CREATE TABLE skinny AS SELECT * FROM ${indexed}`,
  order: `CREATE TABLE skinny AS SELECT * FROM ${indexed} ORDER BY "${INDEX_COLUMN}", "objectId"`,
};
const statement = statements[step];
if (statement === undefined) throw new Error(`no step ${step}; there are ${Object.keys(statements).join(', ')}`);
await withEngine(folder, (database) => database.run(statement));
