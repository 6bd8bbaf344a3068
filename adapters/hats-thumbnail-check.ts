import { type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import type { OutlinedCollection } from '#adapters/hats-outline.ts';
import { attempt, engineSays } from '#adapters/hats-partition-queries.ts';
import type { CatalogueStructure } from '#adapters/hats-structure-check.ts';
import { readThumbnail, rowDigest } from '#adapters/hats-thumbnail.ts';
import { readFooter } from '#adapters/parquet-footer.ts';
import type { PhotozColumn } from '#core/hats/columns.ts';
import { schemaDigest } from '#core/hats/footer.ts';
import { DATA_THUMBNAIL } from '#core/hats/layout.ts';

/**
 * Compares a catalogue's thumbnail, where it is there, with its leaves: the same columns, types and metadata, and the
 * first row of each leaf in the order of the sky.
 */
export async function checkThumbnail(
  { source, files, findings }: OutlinedCollection,
  { folder, leaves }: CatalogueStructure,
  kind: 'object' | 'posterior',
  columns: readonly PhotozColumn[],
  options: DatabaseOptions,
): Promise<void> {
  const where = `${folder}/${DATA_THUMBNAIL}`;
  const [first] = leaves;
  if (!first || !files.has(where)) return;
  const differs = (sentence: string) => findings.add('THUMBNAIL_DIFFERS', where, sentence);
  await source.withFile(where, null, async ({ path }) => {
    const own = await readFooter(path);
    if (own.kind !== 'footer') return differs('It is not a whole Parquet file.');
    if (schemaDigest(own.footer) !== first.footer.schema) {
      return differs('Its columns, types or metadata are not those of the leaves.');
    }
    const shown = await withDatabase(options, (database) => attempt(readThumbnail(database, path, columns)));
    if (typeof shown === 'string') return differs(engineSays(shown));
    // A leaf that cannot be read was found before.
    const expected = leaves.flatMap(({ record }) => record.firstRows[kind] ?? []);
    const other = expected.findIndex((digest, index) => {
      const row = shown[index];
      return row === undefined || rowDigest(row) !== digest;
    });
    if (other < 0 && shown.length === expected.length) return;
    const at = (other < 0 ? expected.length : other) + 1;
    differs(`Row ${at} of ${shown.length} is not the first row of leaf ${at} of ${expected.length}.`);
  });
}
