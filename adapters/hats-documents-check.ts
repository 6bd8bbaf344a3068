import { parse } from 'yaml';
import { z } from 'zod';
import { checkPacket } from '#adapters/hats-packet-check.ts';
import { unexpectedColumn } from '#adapters/hats-row-check.ts';
import type { PrimaryCatalogue } from '#adapters/hats-structure-check.ts';
import { photozColumns } from '#core/hats/columns.ts';
import { felisFacts, felisYaml } from '#core/hats/felis.ts';
import { ingestManifest } from '#core/hats/ingest-manifest.ts';
import { FELIS_SCHEMA, INGEST_MANIFEST } from '#core/hats/layout.ts';
import type { Manifest } from '#core/hats/manifest.ts';
import { TEXTS_VERSION } from '#core/hats/texts.ts';
import type { Findings } from '#core/hats/verdict.ts';

/** Compares what goes with the catalogue, where it is there, with its columns, leaves and facts. */
export async function checkDocuments(
  primary: PrimaryCatalogue,
  manifest: Manifest | null,
  present: ReadonlyMap<string, number>,
  findings: Findings,
): Promise<void> {
  const textsVersion = await checkPacket(primary, manifest, present, findings);
  if (present.has(FELIS_SCHEMA)) await checkFelis(primary, textsVersion, findings);
  if (present.has(INGEST_MANIFEST) && manifest !== null) {
    const text = (await primary.source.bytes(INGEST_MANIFEST))?.toString('utf8') ?? '';
    if (text === ingestOf(primary, manifest, text)) return;
    const sentence = 'Made anew from the leaves of the catalogue and the digests of the manifest it is another text.';
    findings.add('INGEST_DIFFERS', INGEST_MANIFEST, sentence);
  }
}

/** The text where its wording is this version's; otherwise the columns in it, their types and their order. */
async function checkFelis(
  { source, shape }: PrimaryCatalogue,
  textsVersion: number | null,
  findings: Findings,
): Promise<void> {
  const yaml = (await source.bytes(FELIS_SCHEMA))?.toString('utf8') ?? '';
  const differs = (sentence: string) => findings.add('SCHEMA_DIFFERS', FELIS_SCHEMA, sentence);
  if (textsVersion === TEXTS_VERSION) {
    const facts = felisFacts(yaml);
    if (facts !== null && felisYaml(facts, shape) === yaml) return;
    return differs('Made anew from the columns of the catalogue it is another text.');
  }
  const expected = photozColumns(shape).map(({ name, datatype }) => `${name} ${datatype}`);
  const columns = felisColumns(yaml);
  if (columns === null) return differs('It is no schema of one table with named and typed columns.');
  const other = unexpectedColumn(expected, columns);
  if (other !== null) differs(other);
}

const felisSchema = z.object({
  tables: z.tuple([z.object({ columns: z.array(z.object({ name: z.string(), datatype: z.string() })) })]),
});

/** The columns of a schema of any wording, as `name datatype`; null when it is none. */
function felisColumns(yaml: string): readonly string[] | null {
  const { data } = felisSchema.safeParse(parsedOrNull(() => parse(yaml)));
  return data?.tables[0].columns.map(({ name, datatype }) => `${name} ${datatype}`) ?? null;
}

const namesSchema = z.object({ database: z.string(), table: z.string() });

/** Null when the text is not even JSON with the two names. */
function ingestOf({ catalogue, shape, leaves }: PrimaryCatalogue, manifest: Manifest, text: string): string | null {
  const names = namesSchema.safeParse(parsedOrNull(() => JSON.parse(text)));
  if (!names.success) return null;
  const known = new Map(manifest.files.map((file) => [file.path, file]));
  const files = leaves.flatMap(({ path, order, pixel, footer }) => {
    const file = known.get(`${catalogue}/${path}`);
    return file ? [{ ...file, order, pixel, rows: footer.rows }] : [];
  });
  return ingestManifest(names.data, shape, files);
}

function parsedOrNull(parsed: () => unknown): unknown {
  try {
    return parsed();
  } catch {
    return null;
  }
}
