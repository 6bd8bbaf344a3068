import { z } from 'zod';
import { sha256 } from '#core/digest.ts';
import definition from '#schemas/photoz-columns.json' with { type: 'json' };

const datatypeSchema = z.enum(['long', 'int', 'double', 'float', 'unsignedByte']);

const columnBase = {
  /** As VOTable names it; `unsignedByte` is an array of any length. */
  datatype: datatypeSchema,
  /** As VOUnits writes it; null for a number without a unit. */
  unit: z.string().nullable(),
  ucd: z.string(),
  description: z.string(),
};

const definitionSchema = z.strictObject({
  version: z.literal(1),
  keys: z.array(z.strictObject({ ...columnBase, role: z.enum(['index', 'id', 'ra', 'dec']), name: z.string() })),
  perAlgorithm: z.array(z.strictObject({ ...columnBase, suffix: z.string(), default: z.boolean() })),
  /** Columns of the catalogue of p(z), beside the keys. */
  posterior: z.array(z.strictObject({ ...columnBase, suffix: z.string() })),
  /** The bits of `{algorithm}_flags`, as the RAIL worker sets them. */
  flags: z.array(z.strictObject({ value: z.int().positive(), name: z.string(), description: z.string() })),
});

const parsed = definitionSchema.parse(definition);
const { keys, perAlgorithm, posterior, flags } = parsed;

/** Changes with anything that is said of any delivered column, so that a table with other descriptions is another one. */
export const COLUMNS_DIGEST = sha256(JSON.stringify(parsed));

/** A column of the delivered table, with all that VOTable, Felis and the docs say about it. */
export interface PhotozColumn {
  readonly name: string;
  readonly datatype: z.infer<typeof datatypeSchema>;
  readonly unit: string | null;
  readonly ucd: string;
  readonly description: string;
  /** Whether a reader gets it without asking. */
  readonly default: boolean;
  /** Null for the keys. */
  readonly algorithm: string | null;
}

export interface TableShape {
  /** What the delivered table calls its coordinates: DP1 says `coord_ra` and `coord_dec`, DP2 `ra` and `dec`. */
  readonly coordinates: { readonly ra: string; readonly dec: string };
  /** Prefixes of the algorithms' columns, in the order of the table. */
  readonly algorithms: readonly string[];
}

/** What comes after `{algorithm}_` in the names of an algorithm's columns. */
export const ESTIMATE_SUFFIXES = perAlgorithm.map(({ suffix }) => suffix).filter((suffix) => suffix !== 'flags');
export const FLAGS_SUFFIX = 'flags';

const flagsInWords = flags.map(({ value, description }) => `${value} (${description})`).join(', ');

/** The columns of the delivered table, in order: the keys, then the eight estimates, the odds and the flags per algorithm. */
export function photozColumns({ coordinates, algorithms }: TableShape): readonly PhotozColumn[] {
  return [...keyColumns(coordinates), ...algorithms.flatMap((algorithm) => perAlgorithm.map(named(algorithm)))];
}

/** The columns of the catalogue of p(z), in order: the keys, then bytes and peak per algorithm. */
export function posteriorColumns({ coordinates, algorithms }: TableShape): readonly PhotozColumn[] {
  const columns = posterior.map((column) => ({ ...column, default: true }));
  return [...keyColumns(coordinates), ...algorithms.flatMap((algorithm) => columns.map(named(algorithm)))];
}

function keyColumns(coordinates: TableShape['coordinates']): readonly PhotozColumn[] {
  return keys.map(({ role, ...column }) => ({
    ...column,
    name: role === 'ra' ? coordinates.ra : role === 'dec' ? coordinates.dec : column.name,
    default: role !== 'index',
    algorithm: null,
  }));
}

const named =
  (algorithm: string) =>
  ({ suffix, ...column }: Omit<PhotozColumn, 'name' | 'algorithm'> & { readonly suffix: string }): PhotozColumn => ({
    ...column,
    name: `${algorithm}_${suffix}`,
    description: column.description.replaceAll('{algorithm}', algorithm).replaceAll('{flags}', flagsInWords),
    algorithm,
  });

/** The algorithms of a table, read back from its column names. */
export function algorithmsOf(columnNames: readonly string[]): readonly string[] {
  return columnNames.filter((name) => name.endsWith('_z_best')).map((name) => name.slice(0, -'_z_best'.length));
}

/** How DuckDB names the types. */
export const SQL_TYPES: Readonly<Record<PhotozColumn['datatype'], string>> = {
  long: 'BIGINT',
  int: 'INTEGER',
  double: 'DOUBLE',
  float: 'FLOAT',
  unsignedByte: 'BLOB',
};
