import { join } from 'node:path';
import type { Database } from '#adapters/duckdb.ts';
import { attempt, type CatalogueFolder, engineSays } from '#adapters/hats-row-check.ts';
import type { SoundLeaf } from '#adapters/hats-structure-check.ts';
import { readFirstRow, readThumbnail } from '#adapters/hats-thumbnail.ts';
import { readFooter } from '#adapters/parquet-footer.ts';
import type { PhotozColumn } from '#core/hats/columns.ts';
import { schemaDigest } from '#core/hats/footer.ts';
import { DATA_THUMBNAIL } from '#core/hats/layout.ts';
import type { Findings } from '#core/hats/verdict.ts';

/**
 * Compares a catalogue's thumbnail, where it is there, with its leaves: the same columns, types and metadata, and the
 * first row of each leaf in the order of the sky.
 *
 * @param present paths of all files of the collection.
 */
export async function checkThumbnail(
  database: Database,
  { root, catalogue }: CatalogueFolder,
  leaves: readonly SoundLeaf[],
  columns: readonly PhotozColumn[],
  present: readonly string[],
  findings: Findings,
): Promise<void> {
  const where = `${catalogue}/${DATA_THUMBNAIL}`;
  const [first] = leaves;
  if (!first || !present.includes(where)) return;
  const differs = (sentence: string) => findings.add('THUMBNAIL_DIFFERS', where, sentence);

  const [own, leaf] = await Promise.all(
    [where, `${catalogue}/${first.path}`].map((path) => readFooter(join(root, path))),
  );
  if (own?.kind !== 'footer') return differs('It is not a whole Parquet file.');
  if (leaf?.kind !== 'footer' || schemaDigest(own.footer) !== schemaDigest(leaf.footer)) {
    return differs('Its columns, types or metadata are not those of the leaves.');
  }
  const shown = await attempt(readThumbnail(database, join(root, where), columns));
  if (shown instanceof Error) return differs(engineSays(shown));
  const expected: string[] = [];
  for (const { path } of leaves) {
    // A leaf that cannot be read was found before.
    const row = await attempt(readFirstRow(database, join(root, catalogue, path), columns));
    if (!(row instanceof Error)) expected.push(JSON.stringify(row));
  }
  const other = expected.findIndex((row, index) => row !== JSON.stringify(shown[index]));
  if (other < 0 && shown.length === expected.length) return;
  const at = (other < 0 ? expected.length : other) + 1;
  differs(`Row ${at} of ${shown.length} is not the first row of leaf ${at} of ${expected.length}.`);
}
