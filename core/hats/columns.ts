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
  perAlgorithm: z.array(
    z.strictObject({
      ...columnBase,
      suffix: z.string(),
      default: z.boolean(),
      /** The column is there only for algorithms whose registered configuration says this. */
      onlyWith: z.literal('bestTemplate').exactOptional(),
    }),
  ),
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
  /** Those of them that also tell their best template. */
  readonly templates: readonly string[];
}

/** What comes after `{algorithm}_` in the names of an algorithm's columns. */
export const FLAGS_SUFFIX = 'flags';
export const TEMPLATE_SUFFIX = 'template';
/** Those that every algorithm has, and that are numbers to measure with. */
export const ESTIMATE_SUFFIXES = perAlgorithm
  .filter(({ suffix, onlyWith }) => suffix !== FLAGS_SUFFIX && onlyWith === undefined)
  .map(({ suffix }) => suffix);

const flagsInWords = flags.map(({ value, description }) => `${value} (${description})`).join(', ');

/**
 * The columns of the delivered table, in order: the keys, then per algorithm the eight estimates, the odds, the best
 * template of a code that has templates, and the flags.
 */
export function photozColumns({ coordinates, algorithms, templates }: TableShape): readonly PhotozColumn[] {
  const columnsOf = (algorithm: string) =>
    perAlgorithm.flatMap(({ onlyWith, ...column }) =>
      onlyWith === undefined || templates.includes(algorithm) ? [named(algorithm)(column)] : [],
    );
  return [...keyColumns(coordinates), ...algorithms.flatMap(columnsOf)];
}

/** The columns of the catalogue of p(z), in order: the keys, then bytes and peak per algorithm. */
export function posteriorColumns({ coordinates, algorithms }: Omit<TableShape, 'templates'>): readonly PhotozColumn[] {
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

/** The shape of a table, read back from its column names: the index, the id and the two coordinates come first. */
export function shapeOf(columnNames: readonly string[]): TableShape {
  const [, , ra = '', dec = ''] = columnNames;
  const withSuffix = (suffix: string) =>
    columnNames.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  const algorithms = withSuffix('_z_best');
  const templates = withSuffix(`_${TEMPLATE_SUFFIX}`).filter((name) => algorithms.includes(name));
  return { coordinates: { ra, dec }, algorithms, templates };
}

/** How DuckDB names the types. */
export const SQL_TYPES: Readonly<Record<PhotozColumn['datatype'], string>> = {
  long: 'BIGINT',
  int: 'INTEGER',
  double: 'DOUBLE',
  float: 'FLOAT',
  unsignedByte: 'BLOB',
};
