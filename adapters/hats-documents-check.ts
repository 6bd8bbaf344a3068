import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { checkPacket } from '#adapters/hats-packet-check.ts';
import type { PrimaryCatalogue } from '#adapters/hats-part-comparison.ts';
import { felisFacts, felisYaml } from '#core/hats/felis.ts';
import { ingestManifest } from '#core/hats/ingest-manifest.ts';
import { FELIS_SCHEMA, INGEST_MANIFEST } from '#core/hats/layout.ts';
import type { Manifest } from '#core/hats/manifest.ts';
import type { Findings } from '#core/hats/verdict.ts';

/** Compares what databases are loaded from, where it is there, with the columns and leaves. */
export async function checkDocuments(
  primary: PrimaryCatalogue,
  manifest: Manifest | null,
  present: readonly string[],
  findings: Findings,
): Promise<void> {
  if (present.includes(FELIS_SCHEMA)) {
    const yaml = await readFile(join(primary.root, FELIS_SCHEMA), 'utf8');
    const facts = felisFacts(yaml);
    if (facts === null || felisYaml(facts, primary.shape) !== yaml) {
      findings.add('SCHEMA_DIFFERS', FELIS_SCHEMA, 'Made anew from the columns of the catalogue it is another text.');
    }
  }
  await checkPacket(primary, manifest, present, findings);
  if (present.includes(INGEST_MANIFEST) && manifest !== null) {
    const text = await readFile(join(primary.root, INGEST_MANIFEST), 'utf8');
    if (text === ingestOf(primary, manifest, text)) return;
    const sentence = 'Made anew from the leaves of the catalogue and the digests of the manifest it is another text.';
    findings.add('INGEST_DIFFERS', INGEST_MANIFEST, sentence);
  }
}

const namesSchema = z.object({ database: z.string(), table: z.string() });

/** Null when the text is not even JSON with the two names. */
function ingestOf({ catalogue, shape, leaves }: PrimaryCatalogue, manifest: Manifest, text: string): string | null {
  const names = namesSchema.safeParse(jsonOrNull(text));
  if (!names.success) return null;
  const known = new Map(manifest.files.map((file) => [file.path, file]));
  const files = leaves.flatMap(({ path, order, pixel, footer }) => {
    const file = known.get(`${catalogue}/${path}`);
    return file ? [{ ...file, order, pixel, rows: footer.rows }] : [];
  });
  return ingestManifest(names.data, shape, files);
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
