import { z } from 'zod';
import { type PhotozColumn, photozColumns, type TableShape } from '#core/hats/columns.ts';
import { INDEX_COLUMN } from '#core/healpix.ts';

export interface FelisFacts {
  /** The schema's name in TAP_SCHEMA, for instance `dp1_photoz`. */
  readonly schema: string;
  readonly table: string;
  readonly description: string;
  /** The version of the table, for instance the name of its delivery. */
  readonly version: string;
}

/**
 * The table as Felis YAML, which Rubin's TAP_SCHEMA is loaded from: scalar columns only, because TAP serves no arrays
 * of numbers (of 12,939 columns in sdm_schemas none has an arraysize). p(z) is therefore in the HATS collection only.
 * Texts are written as JSON, which is YAML as well.
 */
export function felisYaml({ schema, table, description, version }: FelisFacts, shape: TableShape): string {
  const columns = photozColumns(shape);
  return [
    `name: ${text(schema)}`,
    `"@id": ${text(`#${schema}`)}`,
    `description: ${text(description)}`,
    'version:',
    `  current: ${text(version)}`,
    'tables:',
    `- name: ${text(table)}`,
    `  "@id": ${text(`#${table}`)}`,
    `  description: ${text(description)}`,
    `  primaryKey: ${text(`#${table}.objectId`)}`,
    '  tap:table_index: 1',
    '  columns:',
    ...columns.flatMap((column, index) => columnLines(table, column, index + 1)),
    '',
  ].join('\n');
}

function columnLines(table: string, column: PhotozColumn, index: number): readonly string[] {
  const { name, datatype, unit, ucd, description } = column;
  const isKey = name === 'objectId';
  return [
    `  - name: ${text(name)}`,
    `    "@id": ${text(`#${table}.${name}`)}`,
    `    datatype: ${datatype}`,
    `    description: ${text(description)}`,
    `    ivoa:ucd: ${text(ucd)}`,
    ...(unit === null ? [] : [`    ivoa:unit: ${text(unit)}`]),
    // Keys are always there; estimates are missing where none could be made.
    `    nullable: ${column.algorithm !== null}`,
    // Otherwise MySQL takes a lone integer key for a counter.
    ...(isKey ? ['    autoincrement: false'] : []),
    `    tap:column_index: ${index}`,
    `    tap:principal: ${column.default && name !== INDEX_COLUMN ? 1 : 0}`,
  ];
}

/** The facts of a schema that `felisYaml` wrote; null for any other text. */
export function felisFacts(yaml: string): FelisFacts | null {
  const value = (line: RegExp) => line.exec(yaml)?.[1] ?? 'null';
  const found = factsSchema.safeParse({
    schema: value(/^name: (".*")$/m),
    table: value(/^- name: (".*")$/m),
    description: value(/^description: (".*")$/m),
    version: value(/^ {2}current: (".*")$/m),
  });
  return found.success ? found.data : null;
}

const quoted = z.string().transform((json, context) => {
  const parsed = z.string().safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  context.addIssue('must be a quoted text');
  return z.NEVER;
});
const factsSchema = z.object({ schema: quoted, table: quoted, description: quoted, version: quoted });

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

const text = (value: string) => JSON.stringify(value);
