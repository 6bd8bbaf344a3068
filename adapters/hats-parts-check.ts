import { join } from 'node:path';
import { z } from 'zod';
import type { Database } from '#adapters/duckdb.ts';
import { attempt, engineSays, unexpectedColumn } from '#adapters/hats-row-check.ts';
import {
  checkProperties,
  checkSame,
  checkStructure,
  readOrNull,
  type SoundLeaf,
} from '#adapters/hats-structure-check.ts';
import { photozColumns, posteriorColumns, SQL_TYPES, type TableShape } from '#core/hats/columns.ts';
import {
  COMMON_METADATA,
  METADATA,
  PARTITION_INFO,
  POINT_MAP,
  PROPERTIES_NAMES,
  pixelOfLeafPath,
  SKY_MAP,
  skyMapPath,
} from '#core/hats/layout.ts';
import {
  indexDifferenceSql,
  keysDifferenceSql,
  marginDifferenceSql,
  mayTouch,
  nearRowsSql,
  posteriorCheckSql,
  unsortedSql,
} from '#core/hats/parts-check.ts';
import { INDEXED_COLUMN, POSTERIOR_LINK, type PartKind, pixelOfIndexPart, posteriorLink } from '#core/hats/parts.ts';
import { GRID_KEY, type Grid, gridSchema } from '#core/hats/posterior.ts';
import { type Properties, renderProperties } from '#core/hats/properties.ts';
import type { Findings, FindingCode } from '#core/hats/verdict.ts';
import { INDEX_COLUMN, type Pixel } from '#core/healpix.ts';
import { parquetRelation } from '#core/sql.ts';

/** The catalogue that the parts belong to, as far as it could be read. */
export interface PrimaryCatalogue {
  readonly root: string;
  readonly catalogue: string;
  readonly collection: string;
  readonly properties: Properties;
  readonly shape: TableShape;
  readonly leaves: readonly SoundLeaf[];
}

/** The folders of a collection's other catalogues. */
export type NamedParts = Readonly<Partial<Record<Exclude<PartKind, 'object'>, string>>>;

type OnLeaf = (done: number, total: number) => void;

/** Partitions whose margin is compared with brute force, and how many rows around each are looked at. */
const SAMPLED = { partitions: 8, rows: 200_000 } as const;

/** Checks margin, index and p(z) against the catalogue that they belong to, row by row. */
export async function checkParts(
  database: Database,
  primary: PrimaryCatalogue,
  parts: NamedParts,
  present: readonly string[],
  findings: Findings,
  onLeaf: OnLeaf,
): Promise<void> {
  const check = new PartsCheck(database, primary, present, findings);
  const total = primary.leaves.length * Object.keys(parts).length;
  let done = 0;
  const step = () => onLeaf(++done, total);
  if (parts.margin !== undefined) await check.margin(parts.margin, step);
  if (parts.index !== undefined) await check.index(parts.index, step);
  if (parts.posterior !== undefined) await check.posterior(parts.posterior, step);
}

class PartsCheck {
  readonly #database: Database;
  readonly #primary: PrimaryCatalogue;
  readonly #present: readonly string[];
  readonly #findings: Findings;

  constructor(database: Database, primary: PrimaryCatalogue, present: readonly string[], findings: Findings) {
    this.#database = database;
    this.#primary = primary;
    this.#present = present;
    this.#findings = findings;
  }

  async margin(folder: string, onLeaf: () => void): Promise<void> {
    const { shape, leaves } = this.#primary;
    const expected = { dataproduct_type: 'margin', hats_primary_table_url: this.#primary.catalogue };
    const part = await this.#open('margin', folder, expected, photozColumns(shape));
    if (part === null) return;
    const threshold = Number(part.properties.hats_margin_threshold);
    if (!(threshold > 0 && threshold <= 143)) {
      const text = `hats_margin_threshold is "${part.properties.hats_margin_threshold ?? ''}", in arcsec.`;
      return this.#findings.add('PROPERTIES_UNREADABLE', `${folder}/properties`, text);
    }
    const radians = (threshold / 3600) * (Math.PI / 180);
    const every = Math.max(1, Math.floor(leaves.length / SAMPLED.partitions));
    for (const [position, leaf] of leaves.entries()) {
      // Three cells wide at most: a cell is at most five times as wide as the threshold.
      const around = leaves.filter((other) => other !== leaf && mayTouch(leaf, other, 10 * radians));
      const paths = around.map(({ path }) => this.#primaryPath(path));
      const held = part.byPixel.get(pixelName(leaf));
      const where = `${folder}/${leaf.path}`;
      const path = held ? join(this.#primary.root, folder, held.path) : null;
      if (paths.length === 0 && path !== null) this.#rowsDiffer(where, 0n, BigInt(held?.footer.rows ?? 0));
      if (paths.length > 0) {
        await this.#compare(where, marginDifferenceSql(leaf, threshold, path, paths));
        if (path !== null) await this.#sorted(where, path, [INDEX_COLUMN, 'objectId']);
        if (position % every === 0) await this.#bruteForce(leaf, threshold, path, paths, where);
      }
      onLeaf();
    }
    this.#refuseOthers(folder, part.byPixel);
  }

  async #bruteForce(leaf: Pixel, threshold: number, margin: string | null, primaries: readonly string[], where: string) {
    const near = nearRowsSql(leaf, threshold, primaries, this.#primary.shape, SAMPLED.rows);
    const held = margin === null ? '(SELECT NULL::BIGINT)' : `(SELECT objectId FROM ${parquetRelation([margin])})`;
    const n = await this.#number(where, `SELECT count(*) AS n FROM (${near}) WHERE (objectId NOT IN ${held}) IS NOT FALSE`);
    if (n > 0n) {
      const text = `${n} rows within ${threshold} arcsec of pixel ${leaf.pixel} of order ${leaf.order} are not in it.`;
      this.#findings.add('MARGIN_INCOMPLETE', where, text);
    }
  }

  async index(folder: string, onLeaf: () => void): Promise<void> {
    const expected = {
      dataproduct_type: 'index',
      hats_primary_table_url: this.#primary.catalogue,
      hats_index_column: INDEXED_COLUMN,
    };
    const part = await this.#open('index', folder, expected, null);
    if (part === null) return;
    for (const leaf of this.#primary.leaves) {
      const held = part.byPixel.get(pixelName(leaf));
      const where = `${folder}/${held?.path ?? leaf.path}`;
      if (!held) this.#rowsDiffer(where, BigInt(leaf.footer.rows), 0n);
      else {
        const path = join(this.#primary.root, folder, held.path);
        await this.#compare(where, indexDifferenceSql(leaf, path, this.#primaryPath(leaf.path)));
        await this.#sorted(where, path, ['objectId']);
      }
      onLeaf();
    }
    this.#refuseOthers(folder, part.byPixel);
  }

  async posterior(folder: string, onLeaf: () => void): Promise<void> {
    const { root, shape, collection, leaves } = this.#primary;
    const columns = posteriorColumns(shape);
    const added = columns.flatMap(({ name, algorithm }) => (algorithm === null ? [] : [name]));
    const link = renderProperties('HATS Extension', posteriorLink(collection, folder, added));
    await checkSame(root, '.', POSTERIOR_LINK, new TextEncoder().encode(link), 'LINK_DIFFERS', this.#findings);
    const part = await this.#open('posterior', folder, { dataproduct_type: 'object' }, columns);
    if (part === null) return;
    await this.#sameMaps(folder);
    const grid = parseGrid(part.keyValues.get(GRID_KEY));
    if (grid === null) {
      const text = `The leaves do not say their grid under ${GRID_KEY}.`;
      this.#findings.add('POSTERIOR_INVALID', `${folder}/${COMMON_METADATA}`, text);
    }
    for (const leaf of leaves) {
      const held = part.byPixel.get(pixelName(leaf));
      const where = `${folder}/${leaf.path}`;
      if (!held) this.#rowsDiffer(where, BigInt(leaf.footer.rows), 0n);
      else {
        const path = join(root, folder, held.path);
        await this.#compare(where, keysDifferenceSql(path, this.#primaryPath(leaf.path), shape));
        await this.#sorted(where, path, [INDEX_COLUMN, 'objectId']);
        if (grid !== null) await this.#posteriors(leaf, path, where, grid);
      }
      onLeaf();
    }
    this.#refuseOthers(folder, part.byPixel);
  }

  async #posteriors(leaf: SoundLeaf, path: string, where: string, grid: Grid): Promise<void> {
    const complaints: readonly (readonly [string, FindingCode, string])[] = [
      ['unlike', 'POSTERIOR_UNLIKE_ESTIMATES', 'have p(z) without estimates, or estimates without p(z)'],
      ['invalid', 'POSTERIOR_INVALID', `have p(z) of other than ${grid.points} bytes, or without a peak`],
      ['elsewhere', 'POSTERIOR_PEAK', 'have p(z) that do not peak at z_mode'],
    ];
    for (const algorithm of this.#primary.shape.algorithms) {
      const sql = posteriorCheckSql(path, this.#primaryPath(leaf.path), algorithm, grid);
      const counts = await this.#row(where, sql);
      for (const [key, code, complaint] of complaints) {
        const n = counts[key] ?? 0n;
        if (n > 0n) this.#findings.add(code, where, `${n} rows ${complaint}, of ${algorithm}.`);
      }
    }
  }

  /** Properties, footers, metadata and columns of a part; null when its rows make no sense to check. */
  async #open(
    kind: PartKind,
    folder: string,
    expected: Properties,
    columns: ReturnType<typeof photozColumns> | null,
  ) {
    const { root } = this.#primary;
    const inside = this.#present.flatMap((path) =>
      path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [],
    );
    const properties = (await checkProperties(root, folder, this.#findings)) ?? {};
    const structure = await checkStructure(root, folder, inside, this.#findings, () => {}, kind);
    for (const path of inside.filter((name) => !belongsTo(kind, name))) {
      this.#findings.add('FILE_STRAY', `${folder}/${path}`, 'No reader of the catalogue knows this file.');
    }
    const wrong = Object.entries(expected).filter(([key, value]) => properties[key] !== value);
    for (const [key, value] of wrong) {
      const text = `${key} is "${properties[key] ?? ''}", expected "${value}".`;
      this.#findings.add('PROPERTIES_UNREADABLE', `${folder}/properties`, text);
    }
    if (properties.hats_nrows !== String(structure.rows)) {
      const text = `hats_nrows is ${properties.hats_nrows ?? 'missing'}, the leaves hold ${structure.rows} rows.`;
      this.#findings.add('ROWS_DECLARED', `${folder}/properties`, text);
    }
    const [first] = structure.leaves;
    if (columns !== null && first && !(await this.#columnsAre(columns, folder, first))) return null;
    const byPixel = new Map(structure.leaves.map((leaf) => [pixelName(leaf), leaf]));
    return { properties, byPixel, keyValues: structure.keyValues };
  }

  async #columnsAre(columns: ReturnType<typeof photozColumns>, folder: string, leaf: SoundLeaf): Promise<boolean> {
    const where = `${folder}/${leaf.path}`;
    const relation = parquetRelation([join(this.#primary.root, where)]);
    const described = await attempt(this.#database.rows(`DESCRIBE SELECT * FROM ${relation}`));
    if (described instanceof Error) {
      this.#findings.add('LEAF_UNREADABLE', where, engineSays(described));
      return false;
    }
    const actual = z.array(z.object({ column_name: z.string(), column_type: z.string() })).parse(described);
    const complaint = unexpectedColumn(
      columns.map(({ name, datatype }) => `${name} ${SQL_TYPES[datatype]}`),
      actual.map(({ column_name, column_type }) => `${column_name} ${column_type}`),
    );
    if (complaint !== null) this.#findings.add('COLUMNS_UNEXPECTED', where, complaint);
    return complaint === null;
  }

  /** p(z) has the objects of the catalogue, so the same maps, which were checked there. */
  async #sameMaps(folder: string): Promise<void> {
    for (const name of [POINT_MAP, SKY_MAP, ...COARSE_MAPS]) {
      const bytes = await readOrNull(join(this.#primary.root, this.#primary.catalogue, name));
      if (bytes) await checkSame(this.#primary.root, folder, name, bytes, 'MAP_DIFFERS', this.#findings);
    }
  }

  #primaryPath(path: string): string {
    return join(this.#primary.root, this.#primary.catalogue, path);
  }

  /** What a part has for partitions that the catalogue does not have. */
  #refuseOthers(folder: string, held: ReadonlyMap<string, SoundLeaf>): void {
    const known = new Set(this.#primary.leaves.map(pixelName));
    for (const [name, leaf] of held) {
      if (!known.has(name)) this.#rowsDiffer(`${folder}/${leaf.path}`, 0n, BigInt(leaf.footer.rows));
    }
  }

  async #compare(where: string, sql: string): Promise<void> {
    const { missing = 0n, foreign = 0n } = await this.#row(where, sql);
    if (missing > 0n || foreign > 0n) this.#rowsDiffer(where, missing, foreign);
  }

  #rowsDiffer(where: string, missing: bigint, foreign: bigint): void {
    const text = `${missing} rows of the catalogue are missing, ${foreign} are not those of the catalogue.`;
    this.#findings.add('PART_ROWS', where, text);
  }

  async #sorted(where: string, path: string, columns: readonly string[]): Promise<void> {
    const n = await this.#number(where, unsortedSql(path, columns));
    if (n > 0n) this.#findings.add('ROWS_UNSORTED', where, `${n} rows come before a row that they should follow.`);
  }

  async #number(where: string, sql: string): Promise<bigint> {
    return (await this.#row(where, sql)).n ?? 0n;
  }

  async #row(where: string, sql: string): Promise<Readonly<Record<string, bigint>>> {
    const answer = await attempt(this.#database.rows(sql));
    if (answer instanceof Error) {
      this.#findings.add('LEAF_UNREADABLE', where, engineSays(answer));
      return {};
    }
    return z.array(z.record(z.string(), z.bigint())).parse(answer)[0] ?? {};
  }
}

const pixelName = ({ order, pixel }: Pixel) => `${order}-${pixel}`;

const COARSE_MAPS = [4, 6].map(skyMapPath);
const ALWAYS: readonly string[] = [...PROPERTIES_NAMES, METADATA, COMMON_METADATA];
const MAPS: readonly string[] = [POINT_MAP, SKY_MAP, ...COARSE_MAPS];

function belongsTo(kind: PartKind, path: string): boolean {
  if (ALWAYS.includes(path)) return true;
  if (kind === 'index') return pixelOfIndexPart(path) !== null;
  return path === PARTITION_INFO || pixelOfLeafPath(path) !== null || (kind === 'posterior' && MAPS.includes(path));
}

function parseGrid(text: string | undefined): Grid | null {
  try {
    return gridSchema.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}
