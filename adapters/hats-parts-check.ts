import { join } from 'node:path';
import type { Database } from '#adapters/duckdb.ts';
import { COARSE_MAPS, PartComparison, type PrimaryCatalogue, pixelName } from '#adapters/hats-part-comparison.ts';
import { checkSame, readOrNull, type SoundLeaf } from '#adapters/hats-structure-check.ts';
import { photozColumns, posteriorColumns } from '#core/hats/columns.ts';
import { COMMON_METADATA, POINT_MAP, SKY_MAP } from '#core/hats/layout.ts';
import { INDEXED_COLUMN, type PartKind, POSTERIOR_LINK, posteriorLink } from '#core/hats/parts.ts';
import {
  indexDifferenceSql,
  keysDifferenceSql,
  marginDifferenceSql,
  mayTouch,
  nearRowsSql,
  posteriorCheckSql,
} from '#core/hats/parts-check.ts';
import { GRID_KEY, type Grid, gridSchema } from '#core/hats/posterior.ts';
import { renderProperties } from '#core/hats/properties.ts';
import type { FindingCode, Findings } from '#core/hats/verdict.ts';
import { INDEX_COLUMN, type Pixel } from '#core/healpix.ts';
import { parquetRelation } from '#core/sql.ts';

/** The folders of a collection's other catalogues. */
export type NamedParts = Readonly<Partial<Record<Exclude<PartKind, 'object'>, string>>>;

type OnLeaf = (done: number, total: number) => void;

/** How many rows around a partition are looked at where its margin is compared with brute force. */
const SAMPLED_ROWS = 200_000;

/** Checks margin, index and p(z) against the catalogue that they belong to, row by row. */
export async function checkParts(
  database: Database,
  primary: PrimaryCatalogue,
  { marginSamples, ...parts }: NamedParts & { readonly marginSamples: number },
  present: readonly string[],
  findings: Findings,
  onLeaf: OnLeaf,
): Promise<void> {
  const check = new PartComparison(database, primary, present, findings);
  const total = primary.leaves.length * Object.keys(parts).length;
  let done = 0;
  const step = () => onLeaf(++done, total);
  if (parts.margin !== undefined) await checkMargin(check, parts.margin, marginSamples, step);
  if (parts.index !== undefined) await checkIndex(check, parts.index, step);
  if (parts.posterior !== undefined) await checkPosterior(check, parts.posterior, step);
}

async function checkMargin(check: PartComparison, folder: string, samples: number, onLeaf: () => void): Promise<void> {
  const { shape, leaves } = check.primary;
  const expected = { dataproduct_type: 'margin', hats_primary_table_url: check.primary.catalogue };
  const part = await check.open('margin', folder, expected, photozColumns(shape));
  if (part === null) return;
  const threshold = Number(part.properties.hats_margin_threshold);
  if (!(threshold > 0 && threshold <= 143)) {
    const text = `hats_margin_threshold is "${part.properties.hats_margin_threshold ?? ''}", in arcsec.`;
    return check.findings.add('PROPERTIES_UNREADABLE', `${folder}/properties`, text);
  }
  const radians = (threshold / 3600) * (Math.PI / 180);
  const every = samples > 0 ? Math.max(1, Math.floor(leaves.length / samples)) : 1;
  for (const [position, leaf] of leaves.entries()) {
    // Three cells wide at most: a cell is at most five times as wide as the threshold.
    const around = leaves.filter((other) => other !== leaf && mayTouch(leaf, other, 10 * radians));
    const paths = around.map(({ path }) => check.primaryPath(path));
    const held = part.byPixel.get(pixelName(leaf));
    const where = `${folder}/${leaf.path}`;
    const path = held ? join(check.primary.root, folder, held.path) : null;
    if (paths.length === 0 && path !== null) check.rowsDiffer(where, 0n, BigInt(held?.footer.rows ?? 0));
    if (paths.length > 0) {
      await check.compare(where, marginDifferenceSql(leaf, threshold, path, paths));
      if (path !== null) await check.sorted(where, path, [INDEX_COLUMN, 'objectId']);
      if (samples > 0 && position % every === 0) await bruteForce(check, leaf, threshold, path, paths, where);
    }
    onLeaf();
  }
  check.refuseOthers(folder, part.byPixel);
}

/** Whether rows near the partition, found by geometry alone, are in its margin. */
async function bruteForce(
  check: PartComparison,
  leaf: Pixel,
  threshold: number,
  margin: string | null,
  primaries: readonly string[],
  where: string,
): Promise<void> {
  const near = nearRowsSql(leaf, threshold, primaries, check.primary.shape, SAMPLED_ROWS);
  const held = margin === null ? '(SELECT NULL::BIGINT)' : `(SELECT objectId FROM ${parquetRelation([margin])})`;
  const n = await check.number(
    where,
    `SELECT count(*) AS n FROM (${near}) WHERE (objectId NOT IN ${held}) IS NOT FALSE`,
  );
  if (n > 0n) {
    const text = `${n} rows within ${threshold} arcsec of pixel ${leaf.pixel} of order ${leaf.order} are not in it.`;
    check.findings.add('MARGIN_INCOMPLETE', where, text);
  }
}

async function checkIndex(check: PartComparison, folder: string, onLeaf: () => void): Promise<void> {
  const expected = {
    dataproduct_type: 'index',
    hats_primary_table_url: check.primary.catalogue,
    hats_index_column: INDEXED_COLUMN,
  };
  const part = await check.open('index', folder, expected, null);
  if (part === null) return;
  for (const leaf of check.primary.leaves) {
    const held = part.byPixel.get(pixelName(leaf));
    const where = `${folder}/${held?.path ?? leaf.path}`;
    if (!held) check.rowsDiffer(where, BigInt(leaf.footer.rows), 0n);
    else {
      const path = join(check.primary.root, folder, held.path);
      await check.compare(where, indexDifferenceSql(leaf, path, check.primaryPath(leaf.path)));
      await check.sorted(where, path, ['objectId']);
    }
    onLeaf();
  }
  check.refuseOthers(folder, part.byPixel);
}

async function checkPosterior(check: PartComparison, folder: string, onLeaf: () => void): Promise<void> {
  const { root, shape, collection, leaves } = check.primary;
  const columns = posteriorColumns(shape);
  const added = columns.flatMap(({ name, algorithm }) => (algorithm === null ? [] : [name]));
  const link = renderProperties('HATS Extension', posteriorLink(collection, folder, added));
  await checkSame(root, '.', POSTERIOR_LINK, new TextEncoder().encode(link), 'LINK_DIFFERS', check.findings);
  const part = await check.open('posterior', folder, { dataproduct_type: 'object' }, columns);
  if (part === null) return;
  await sameMaps(check, folder);
  const grid = parseGrid(part.keyValues.get(GRID_KEY));
  if (grid === null) {
    const text = `The leaves do not say their grid under ${GRID_KEY}.`;
    check.findings.add('POSTERIOR_INVALID', `${folder}/${COMMON_METADATA}`, text);
  }
  for (const leaf of leaves) {
    const held = part.byPixel.get(pixelName(leaf));
    const where = `${folder}/${leaf.path}`;
    if (!held) check.rowsDiffer(where, BigInt(leaf.footer.rows), 0n);
    else {
      const path = join(root, folder, held.path);
      await check.compare(where, keysDifferenceSql(path, check.primaryPath(leaf.path), shape));
      await check.sorted(where, path, [INDEX_COLUMN, 'objectId']);
      if (grid !== null) await checkValues(check, leaf, path, where, grid);
    }
    onLeaf();
  }
  check.refuseOthers(folder, part.byPixel);
}

async function checkValues(
  check: PartComparison,
  leaf: SoundLeaf,
  path: string,
  where: string,
  grid: Grid,
): Promise<void> {
  const complaints: readonly (readonly [string, FindingCode, string])[] = [
    ['unlike', 'POSTERIOR_UNLIKE_ESTIMATES', 'have p(z) without estimates, or estimates without p(z)'],
    ['invalid', 'POSTERIOR_INVALID', `have p(z) of other than ${grid.points} bytes, or without a peak`],
    ['elsewhere', 'POSTERIOR_PEAK', 'have p(z) that do not peak at z_mode'],
  ];
  for (const algorithm of check.primary.shape.algorithms) {
    const sql = posteriorCheckSql(path, check.primaryPath(leaf.path), algorithm, grid);
    const counts = await check.row(where, sql);
    for (const [key, code, complaint] of complaints) {
      const n = counts[key] ?? 0n;
      if (n > 0n) check.findings.add(code, where, `${n} rows ${complaint}, of ${algorithm}.`);
    }
  }
}

/** p(z) has the objects of the catalogue, so the same maps, which were checked there. */
async function sameMaps(check: PartComparison, folder: string): Promise<void> {
  for (const name of [POINT_MAP, SKY_MAP, ...COARSE_MAPS]) {
    const bytes = await readOrNull(join(check.primary.root, check.primary.catalogue, name));
    if (bytes) await checkSame(check.primary.root, folder, name, bytes, 'MAP_DIFFERS', check.findings);
  }
}

function parseGrid(text: string | undefined): Grid | null {
  try {
    return gridSchema.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}
