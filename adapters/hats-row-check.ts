import { join } from 'node:path';
import { z } from 'zod';
import type { Database } from '#adapters/duckdb.ts';
import { checkSame, type SoundLeaf } from '#adapters/hats-structure-check.ts';
import { mapFiles } from '#core/hats/catalogue-files.ts';
import { photozColumns, SQL_TYPES, shapeOf, type TableShape } from '#core/hats/columns.ts';
import { leafCheckSql, leafCountsSql, type RowRule, repeatedIdsSql, rowRules } from '#core/hats/leaf-check.ts';
import type { Properties } from '#core/hats/properties.ts';
import type { Findings } from '#core/hats/verdict.ts';
import { parquetRelation } from '#core/sql.ts';

export interface CatalogueFolder {
  /** The collection's folder. */
  readonly root: string;
  /** The catalogue's name and folder inside it. */
  readonly catalogue: string;
}

/**
 * Ids to compare at a time; more are compared in several passes over the column. 5 million take 300 MB of the process
 * (10 million 550 MB, 20 million 950 MB, measured with DuckDB 1.5.5).
 */
const IDS_PER_PASS = 5_000_000;

/** Whether the columns are those of a photo-z table, by the first leaf; null when the rows make no sense to check. */
export async function checkColumns(
  database: Database,
  { root, catalogue }: CatalogueFolder,
  leaf: SoundLeaf,
  properties: Properties,
  findings: Findings,
): Promise<TableShape | null> {
  const relation = parquetRelation([join(root, catalogue, leaf.path)]);
  const described = await attempt(database.rows(`DESCRIBE SELECT * FROM ${relation}`));
  if (described instanceof Error) {
    findings.add('LEAF_UNREADABLE', `${catalogue}/${leaf.path}`, engineSays(described));
    return null;
  }
  const columns = z.array(z.object({ column_name: z.string(), column_type: z.string() })).parse(described);
  const names = columns.map(({ column_name }) => column_name);
  checkNamedColumns(names, properties, `${catalogue}/properties`, findings);
  const shape = shapeOf(names);
  const expected = photozColumns(shape).map(({ name, datatype }) => `${name} ${SQL_TYPES[datatype]}`);
  const actual = columns.map(({ column_name, column_type }) => `${column_name} ${column_type}`);
  const other = unexpectedColumn(expected, actual);
  if (other === null && shape.algorithms.length > 0) return shape;
  const text = other ?? 'There are no estimates in it.';
  findings.add('COLUMNS_UNEXPECTED', `${catalogue}/${leaf.path}`, text);
  return null;
}

/** One sentence on the first column that differs; columns as `name TYPE`. */
export function unexpectedColumn(expected: readonly string[], actual: readonly string[]): string | null {
  const other = expected.findIndex((column, index) => column !== actual[index]);
  if (other < 0 && actual.length === expected.length) return null;
  const at = other < 0 ? expected.length : other;
  return `Column ${at + 1} is ${actual[at] ?? 'missing'}, expected ${expected[at] ?? 'an estimate, or nothing'}.`;
}

/** The columns that readers find by name must be the ones that they take them for. */
function checkNamedColumns(names: readonly string[], properties: Properties, where: string, findings: Findings): void {
  const [index, , ra, dec] = names;
  const roles = { hats_col_ra: ra, hats_col_dec: dec, hats_col_healpix: index };
  for (const [key, name] of Object.entries(roles)) {
    if (properties[key] === name) continue;
    findings.add('PROPERTIES_COLUMN', where, `${key} is "${properties[key] ?? ''}"; that column is "${name ?? ''}".`);
  }
  for (const name of (properties.hats_cols_default ?? '').split(' ').filter((text) => text !== '')) {
    if (names.includes(name)) continue;
    findings.add('PROPERTIES_COLUMN', where, `hats_cols_default names "${name}"; there is no such column.`);
  }
}

/**
 * Checks every row of every leaf, and, if their order is known, the sky maps against what was found.
 * @returns the leaves whose rows could be read.
 */
export async function checkRows(
  database: Database,
  { root, catalogue }: CatalogueFolder,
  leaves: readonly SoundLeaf[],
  shape: TableShape,
  mapOrder: number | null,
  findings: Findings,
  onRows: (done: number) => void,
): Promise<readonly SoundLeaf[]> {
  const counts: [number, number][] = [];
  const readable: SoundLeaf[] = [];
  let done = 0;
  for (const leaf of leaves) {
    const path = join(root, catalogue, leaf.path);
    const where = `${catalogue}/${leaf.path}`;
    const rules = rowRules(leaf, shape);
    const answer = await attempt(database.rows(leafCheckSql(path, rules, shape)));
    const found = await attempt(database.rows(leafCountsSql(path, mapOrder ?? 0)));
    const unreadable = [answer, found].find((result) => result instanceof Error);
    if (unreadable instanceof Error) findings.add('LEAF_UNREADABLE', where, engineSays(unreadable));
    else {
      judgeCounts(answer, rules, leaf, where, findings);
      counts.push(...pixelCounts.parse(found));
      readable.push(leaf);
    }
    done += leaf.footer.rows;
    onRows(done);
  }
  if (mapOrder === null) return readable;
  for (const { path, bytes } of mapFiles({ order: mapOrder, counts: counts.sort(([a], [b]) => a - b) })) {
    await checkSame(root, catalogue, path, bytes, 'MAP_DIFFERS', findings);
  }
  return readable;
}

const pixelCounts = z.array(
  z.object({ pixel: z.number(), n: z.number() }).transform(({ pixel, n }): [number, number] => [pixel, n]),
);

/** Turns one leaf's row of counts into findings. */
function judgeCounts(
  answer: unknown,
  rules: readonly RowRule[],
  leaf: SoundLeaf,
  where: string,
  findings: Findings,
): void {
  const [row] = z.array(z.record(z.string(), z.bigint())).parse(answer);
  if (row?.total !== BigInt(leaf.footer.rows)) {
    findings.add('LEAF_ROWS', where, `It holds ${row?.total ?? 0} rows, its footer says ${leaf.footer.rows}.`);
  }
  for (const [index, { code, complaint }] of rules.entries()) {
    const broken = row?.[`broken_${index}`] ?? 0n;
    if (broken > 0n) findings.add(code, where, `${broken} rows ${complaint}.`);
  }
}

/** Looks for an objectId that occurs twice anywhere in readable leaves, in bounded memory. */
export async function checkIds(
  database: Database,
  { root, catalogue }: CatalogueFolder,
  leaves: readonly SoundLeaf[],
  findings: Findings,
  onPass: (done: number, total: number) => void,
): Promise<void> {
  if (leaves.length === 0) return;
  const rows = leaves.reduce((sum, { footer }) => sum + footer.rows, 0);
  const passes = Math.max(1, Math.ceil(rows / IDS_PER_PASS));
  const paths = leaves.map(({ path }) => join(root, catalogue, path));
  for (let pass = 0; pass < passes; pass++) {
    const repeated = await database.rows(repeatedIdsSql(paths, pass, passes));
    const schema = z.array(z.object({ objectId: z.bigint().nullable(), times: z.number() }));
    for (const { objectId, times } of schema.parse(repeated)) {
      findings.add('ID_NOT_UNIQUE', catalogue, `objectId ${objectId ?? '(missing)'} occurs ${times} times.`);
    }
    onPass(pass + 1, passes);
  }
}

/** A file that the engine cannot read is a finding; an engine without memory says nothing about the file. */
export async function attempt<T>(promise: Promise<T>): Promise<T | Error> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Error && !error.message.startsWith('Out of Memory')) return error;
    throw error;
  }
}

export function engineSays(error: Error): string {
  return `DuckDB cannot read it: ${error.message.split('\n')[0]?.slice(0, 200) ?? ''}.`;
}
