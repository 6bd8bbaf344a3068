import { parse } from 'yaml';
import { z } from 'zod';
import { type Database, quoteLiteral } from '#adapters/duckdb.ts';

/** Where VOParquet and astropy say what a Parquet file's columns are. */
const VOTABLE_KEY = 'IVOA.VOTable-Parquet.content';
const ASTROPY_KEY = 'table_meta_yaml';

const metadataRow = z.object({ name: z.string(), content: z.string() });
const astropySchema = z.object({
  datatype: z.array(z.object({ name: z.string(), unit: z.string().optional() })),
});

/** The element's own quotes may hold a `>`. */
const FIELDS = /<(?:\w+:)?FIELD\b((?:[^>"']|"[^"]*"|'[^']*')*)>/g;
const ATTRIBUTES = /(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** Column -> unit, as far as the file's own metadata say; a file may say nothing, and what is not understood says nothing. */
export async function readUnits(database: Database, path: string): Promise<ReadonlyMap<string, string>> {
  const rows = z.array(metadataRow).parse(
    await database.rows(
      `SELECT decode(key) AS name, decode(value) AS content FROM parquet_kv_metadata(${quoteLiteral(path)})
       WHERE key IN (${[VOTABLE_KEY, ASTROPY_KEY].map((key) => `encode(${quoteLiteral(key)})`).join(', ')})`,
    ),
  );
  return new Map(
    rows.flatMap(({ name, content }) => (name === VOTABLE_KEY ? unitsOfVotable(content) : unitsOfAstropy(content))),
  );
}

function unitsOfVotable(xml: string): readonly (readonly [string, string])[] {
  return [...xml.matchAll(FIELDS)].flatMap(([, text = '']) => {
    const attributes = new Map(
      [...text.matchAll(ATTRIBUTES)].map(([, name, double, single]) => [name, double ?? single]),
    );
    const [name, unit] = [attributes.get('name'), attributes.get('unit')];
    return name === undefined || unit === undefined ? [] : [[name, unit] as const];
  });
}

function unitsOfAstropy(text: string): readonly (readonly [string, string])[] {
  try {
    const { datatype } = astropySchema.parse(parse(text, { logLevel: 'silent' }));
    return datatype.flatMap(({ name, unit }) => (unit === undefined ? [] : [[name, unit] as const]));
  } catch {
    return [];
  }
}
