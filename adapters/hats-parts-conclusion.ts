import { type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import type { OutlinedCollection } from '#adapters/hats-outline.ts';
import { rowsDiffer } from '#adapters/hats-partition-queries.ts';
import { gridOf } from '#adapters/hats-parts-check.ts';
import { checkColumns } from '#adapters/hats-row-check.ts';
import {
  type CatalogueStructure,
  checkCopies,
  checkDeclaredRows,
  checkSame,
  checkStructure,
  type PrimaryCatalogue,
  refuseStrays,
  type SoundLeaf,
} from '#adapters/hats-structure-check.ts';
import { checkThumbnail } from '#adapters/hats-thumbnail-check.ts';
import { type PhotozColumn, photozColumns, posteriorColumns } from '#core/hats/columns.ts';
import { COMMON_METADATA, POINT_MAP, SKY_MAP, skyMapPath } from '#core/hats/layout.ts';
import { type ExpectedMargins, expectedMargins, marginComplaint } from '#core/hats/margin-check.ts';
import { INDEXED_COLUMN, type PartKind, POSTERIOR_LINK, posteriorLink } from '#core/hats/parts.ts';
import { GRID_KEY } from '#core/hats/posterior.ts';
import { type Properties, renderProperties } from '#core/hats/properties.ts';
import type { Findings } from '#core/hats/verdict.ts';
import { footerOf, type PartitionRecord, pixelName } from '#core/hats/verification.ts';

type Part = Exclude<PartKind, 'object'>;

/** What the last step has at hand to judge margin, index and p(z). */
interface Judged {
  readonly whole: OutlinedCollection;
  readonly primary: PrimaryCatalogue;
  readonly records: readonly PartitionRecord[];
  readonly findings: Findings;
  readonly database: DatabaseOptions;
}

/** Judges margin, index and p(z), those that the collection lists, by the records of all partitions. */
export async function concludeParts(judged: Judged): Promise<void> {
  const { margin, index, posterior } = judged.whole.outline?.folders ?? {};
  if (margin !== undefined) await concludeMargin(judged, margin);
  if (index !== undefined) await concludeIndex(judged, index);
  if (posterior !== undefined) await concludePosterior(judged, posterior);
}

/** Properties, footers, metadata and columns of a part; null when its rows make no sense to check. */
async function openPart(
  { whole, records, findings, database }: Judged,
  kind: Part,
  folder: string,
  expected: Properties,
  columns: readonly PhotozColumn[] | null,
): Promise<CatalogueStructure | null> {
  const properties = whole.properties[kind] ?? {};
  await checkCopies(whole.source, folder, findings);
  const structure = await checkStructure(whole, kind, folder, records, findings);
  refuseStrays(whole.files, kind, folder, findings);
  const wrong = Object.entries(expected).filter(([key, value]) => properties[key] !== value);
  for (const [key, value] of wrong) {
    const text = `${key} is "${properties[key] ?? ''}", expected "${value}".`;
    findings.add('PROPERTIES_UNREADABLE', `${folder}/properties`, text);
  }
  checkDeclaredRows(folder, properties, structure.rows, findings);
  const [first] = structure.leaves;
  if (columns === null || !first) return structure;
  const where = `${folder}/${first.path}`;
  const sound = await whole.source.withFile(where, null, ({ path }) =>
    withDatabase(database, (opened) => checkColumns(opened, path, where, columns, findings)),
  );
  if (sound && kind === 'posterior') await checkThumbnail(whole, structure, kind, columns, database);
  return sound ? structure : null;
}

/**
 * What the records say of the part's leaves: what was found in them, those that are missing, and those for partitions
 * that the catalogue does not have.
 */
function concludeLeaves(
  { primary, findings }: Judged,
  kind: Part,
  { folder, leaves }: CatalogueStructure,
  missing: (leaf: SoundLeaf) => number,
): void {
  const held = new Map(leaves.map((leaf) => [pixelName(leaf), leaf]));
  for (const leaf of primary.leaves) {
    if (held.has(pixelName(leaf)) || footerOf(leaf.record, kind) === null) findings.addAll(leaf.record.findings[kind]);
    const rows = held.delete(pixelName(leaf)) ? 0 : missing(leaf);
    if (rows > 0) findings.add('PART_ROWS', `${folder}/${leaf.path}`, rowsDiffer(rows, 0));
  }
  for (const { path, footer } of held.values()) {
    findings.add('PART_ROWS', `${folder}/${path}`, rowsDiffer(0, footer.rows));
  }
}

async function concludeMargin(judged: Judged, folder: string): Promise<void> {
  const { whole, primary, findings } = judged;
  const expected = { dataproduct_type: 'margin', hats_primary_table_url: primary.catalogue };
  const part = await openPart(judged, 'margin', folder, expected, photozColumns(primary.shape));
  if (part === null) return;
  if (whole.outline?.marginArcsec === null) {
    const said = whole.properties.margin?.hats_margin_threshold ?? '';
    const text = `hats_margin_threshold is "${said}", in arcsec.`;
    return findings.add('PROPERTIES_UNREADABLE', `${folder}/properties`, text);
  }
  const margins = expectedMargins(primary.leaves.map(({ record }) => record));
  concludeLeaves(judged, 'margin', part, (leaf) => rowsOf(margins, leaf));
  const known = new Set(part.leaves.map(pixelName));
  for (const leaf of primary.leaves.filter((each) => known.has(pixelName(each)))) {
    if (leaf.record.findings.margin.some(({ code }) => code === 'LEAF_UNREADABLE')) continue;
    const complaint = marginComplaint(leaf.record, margins);
    if (complaint !== null) findings.add('PART_ROWS', `${folder}/${leaf.path}`, complaint);
  }
}

const rowsOf = (margins: ExpectedMargins, leaf: SoundLeaf): number =>
  [...(margins.get(pixelName(leaf))?.values() ?? [])].reduce((sum, { rows }) => sum + rows, 0);

async function concludeIndex(judged: Judged, folder: string): Promise<void> {
  const expected = {
    dataproduct_type: 'index',
    hats_primary_table_url: judged.primary.catalogue,
    hats_index_column: INDEXED_COLUMN,
  };
  const part = await openPart(judged, 'index', folder, expected, null);
  if (part !== null) concludeLeaves(judged, 'index', part, ({ footer }) => footer.rows);
}

async function concludePosterior(judged: Judged, folder: string): Promise<void> {
  const { whole, primary, findings } = judged;
  const columns = posteriorColumns(primary.shape);
  const added = columns.flatMap(({ name, algorithm }) => (algorithm === null ? [] : [name]));
  const link = renderProperties('HATS Extension', posteriorLink(primary.collection, folder, added));
  await checkSame(whole.source, '', POSTERIOR_LINK, new TextEncoder().encode(link), 'LINK_DIFFERS', findings);
  const part = await openPart(judged, 'posterior', folder, { dataproduct_type: 'object' }, columns);
  if (part === null) return;
  // p(z) has the objects of the catalogue, so the same maps, which were checked there.
  for (const name of [POINT_MAP, SKY_MAP, ...[4, 6].map(skyMapPath)]) {
    const bytes = await whole.source.bytes(`${primary.catalogue}/${name}`);
    if (bytes) await checkSame(whole.source, folder, name, bytes, 'MAP_DIFFERS', findings);
  }
  if (gridOf(part.footer?.keyValues ?? new Map()) === null) {
    const text = `The leaves do not say their grid under ${GRID_KEY}.`;
    findings.add('POSTERIOR_INVALID', `${folder}/${COMMON_METADATA}`, text);
  }
  concludeLeaves(judged, 'posterior', part, ({ footer }) => footer.rows);
}
