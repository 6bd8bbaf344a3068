import { z } from 'zod';
import type { Database } from '#adapters/duckdb.ts';
import { attempt, engineSays, type PartitionQueries } from '#adapters/hats-partition-queries.ts';
import { type PhotozColumn, photozColumns, SQL_TYPES, shapeOf, type TableShape } from '#core/hats/columns.ts';
import { idRunsSql, leafCheckSql, leafCountsSql, rowRules } from '#core/hats/leaf-check.ts';
import type { Properties } from '#core/hats/properties.ts';
import type { Findings } from '#core/hats/verdict.ts';
import { type IdRun, idRunSchema } from '#core/hats/verification.ts';
import type { Pixel } from '#core/healpix.ts';
import { parquetRelation } from '#core/sql.ts';

/** The columns of a file in order, as `name TYPE` and by name; a text is the reason why it cannot be read. */
async function columnsOf(
  database: Database,
  path: string,
): Promise<readonly { name: string; typed: string }[] | string> {
  const described = await attempt(database.rows(`DESCRIBE SELECT * FROM ${parquetRelation([path])}`));
  if (typeof described === 'string') return described;
  const columns = z.array(z.object({ column_name: z.string(), column_type: z.string() })).parse(described);
  return columns.map(({ column_name, column_type }) => ({
    name: column_name,
    typed: `${column_name} ${column_type}`,
  }));
}

/** The shape of a photo-z table that a leaf is of, or what is wrong with it: a text when it cannot be read at all. */
export async function shapeOfLeaf(
  database: Database,
  path: string,
): Promise<
  { readonly names: readonly string[]; readonly shape: TableShape | null; readonly complaint: string } | string
> {
  const columns = await columnsOf(database, path);
  if (typeof columns === 'string') return columns;
  const names = columns.map(({ name }) => name);
  const shape = shapeOf(names);
  const other = unexpectedColumn(photozColumns(shape).map(named), typesOf(columns));
  const sound = other === null && shape.algorithms.length > 0;
  return { names, shape: sound ? shape : null, complaint: other ?? 'There are no estimates in it.' };
}

/** Whether a file has these columns; else a finding. */
export async function checkColumns(
  database: Database,
  path: string,
  where: string,
  expected: readonly PhotozColumn[],
  findings: Findings,
): Promise<boolean> {
  const columns = await columnsOf(database, path);
  if (typeof columns === 'string') findings.add('LEAF_UNREADABLE', where, engineSays(columns));
  else {
    const complaint = unexpectedColumn(expected.map(named), typesOf(columns));
    if (complaint === null) return true;
    findings.add('COLUMNS_UNEXPECTED', where, complaint);
  }
  return false;
}

/** One sentence on the first column that differs; columns as `name TYPE`. */
export function unexpectedColumn(expected: readonly string[], actual: readonly string[]): string | null {
  const other = expected.findIndex((column, index) => column !== actual[index]);
  if (other < 0 && actual.length === expected.length) return null;
  const at = other < 0 ? expected.length : other;
  return `Column ${at + 1} is ${actual[at] ?? 'missing'}, expected ${expected[at] ?? 'an estimate, or nothing'}.`;
}

const typesOf = (columns: readonly { readonly typed: string }[]) => columns.map(({ typed }) => typed);
const named = ({ name, datatype }: PhotozColumn) => `${name} ${SQL_TYPES[datatype]}`;

/** The columns that readers find by name must be the ones that they take them for. */
export function checkNamedColumns(
  names: readonly string[],
  properties: Properties,
  where: string,
  findings: Findings,
): void {
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

const pixelCountSchema = z.object({ pixel: z.number(), n: z.number() });

/** Checks every row of a leaf. @returns how many lie in which pixel of the sky maps; null when it cannot be read. */
export async function checkLeafRows(
  ask: PartitionQueries,
  path: string,
  leaf: Pixel & { readonly rows: number },
  shape: TableShape,
  mapOrder: number,
): Promise<[number, number][] | null> {
  const rules = rowRules(leaf, shape);
  const answer = await ask.rows(leafCheckSql(path, rules, shape), z.record(z.string(), z.bigint()));
  const found = answer && (await ask.rows(leafCountsSql(path, mapOrder), pixelCountSchema));
  if (!answer || !found) return null;
  const [row] = answer;
  if (row?.total !== BigInt(leaf.rows)) {
    const text = `It holds ${row?.total ?? 0} rows, its footer says ${leaf.rows}.`;
    ask.findings.add('LEAF_ROWS', ask.where, text);
  }
  for (const [index, { code, complaint }] of rules.entries()) {
    const broken = row?.[`broken_${index}`] ?? 0n;
    if (broken > 0n) ask.findings.add(code, ask.where, `${broken} rows ${complaint}.`);
  }
  return found.map(({ pixel, n }) => [pixel, n]);
}

/** Where the ids of a leaf are. */
export async function idRunsOf(ask: PartitionQueries, path: string, rows: number): Promise<IdRun[]> {
  return [...((await ask.rows(idRunsSql(path, rows), idRunSchema)) ?? [])];
}
