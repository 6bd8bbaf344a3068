import { join } from 'node:path';
import { z } from 'zod';
import type { Database } from '#adapters/duckdb.ts';
import { attempt, engineSays, unexpectedColumn } from '#adapters/hats-row-check.ts';
import { checkProperties, checkStructure, type SoundLeaf } from '#adapters/hats-structure-check.ts';
import { checkThumbnail } from '#adapters/hats-thumbnail-check.ts';
import { type PhotozColumn, SQL_TYPES, type TableShape } from '#core/hats/columns.ts';
import {
  COMMON_METADATA,
  DATA_THUMBNAIL,
  METADATA,
  PARTITION_INFO,
  POINT_MAP,
  PROPERTIES_NAMES,
  pixelOfLeafPath,
  SKY_MAP,
  skyMapPath,
} from '#core/hats/layout.ts';
import { type PartKind, pixelOfIndexPart } from '#core/hats/parts.ts';
import { unsortedSql } from '#core/hats/parts-check.ts';
import type { Properties } from '#core/hats/properties.ts';
import type { Findings } from '#core/hats/verdict.ts';
import type { Pixel } from '#core/healpix.ts';
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

/** Compares the files of one part with the catalogue, and keeps what it finds. */
export class PartComparison {
  readonly primary: PrimaryCatalogue;
  readonly findings: Findings;
  readonly #database: Database;
  readonly #present: readonly string[];

  /** @param present paths of all files of the collection. */
  constructor(database: Database, primary: PrimaryCatalogue, present: readonly string[], findings: Findings) {
    this.#database = database;
    this.primary = primary;
    this.#present = present;
    this.findings = findings;
  }

  /** Properties, footers, metadata and columns of a part; null when its rows make no sense to check. */
  async open(kind: PartKind, folder: string, expected: Properties, columns: readonly PhotozColumn[] | null) {
    const { root } = this.primary;
    const inside = this.#present.flatMap((path) =>
      path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [],
    );
    const properties = (await checkProperties(root, folder, this.findings)) ?? {};
    const structure = await checkStructure(root, folder, inside, this.findings, () => {}, kind);
    for (const path of inside.filter((name) => !belongsTo(kind, name))) {
      this.findings.add('FILE_STRAY', `${folder}/${path}`, 'No reader of the catalogue knows this file.');
    }
    const wrong = Object.entries(expected).filter(([key, value]) => properties[key] !== value);
    for (const [key, value] of wrong) {
      const text = `${key} is "${properties[key] ?? ''}", expected "${value}".`;
      this.findings.add('PROPERTIES_UNREADABLE', `${folder}/properties`, text);
    }
    if (properties.hats_nrows !== String(structure.rows)) {
      const text = `hats_nrows is ${properties.hats_nrows ?? 'missing'}, the leaves hold ${structure.rows} rows.`;
      this.findings.add('ROWS_DECLARED', `${folder}/properties`, text);
    }
    const [first] = structure.leaves;
    if (columns !== null && first && !(await this.#columnsAre(columns, folder, first))) return null;
    if (columns !== null && kind === 'posterior') {
      const place = { root, catalogue: folder };
      await checkThumbnail(this.#database, place, structure.leaves, columns, this.#present, this.findings);
    }
    const byPixel = new Map(structure.leaves.map((leaf) => [pixelName(leaf), leaf]));
    return { properties, byPixel, keyValues: structure.keyValues };
  }

  async #columnsAre(columns: readonly PhotozColumn[], folder: string, leaf: SoundLeaf): Promise<boolean> {
    const where = `${folder}/${leaf.path}`;
    const relation = parquetRelation([join(this.primary.root, where)]);
    const described = await attempt(this.#database.rows(`DESCRIBE SELECT * FROM ${relation}`));
    if (described instanceof Error) {
      this.findings.add('LEAF_UNREADABLE', where, engineSays(described));
      return false;
    }
    const actual = z.array(z.object({ column_name: z.string(), column_type: z.string() })).parse(described);
    const complaint = unexpectedColumn(
      columns.map(({ name, datatype }) => `${name} ${SQL_TYPES[datatype]}`),
      actual.map(({ column_name, column_type }) => `${column_name} ${column_type}`),
    );
    if (complaint !== null) this.findings.add('COLUMNS_UNEXPECTED', where, complaint);
    return complaint === null;
  }

  primaryPath(path: string): string {
    return join(this.primary.root, this.primary.catalogue, path);
  }

  /** What a part has for partitions that the catalogue does not have. */
  refuseOthers(folder: string, held: ReadonlyMap<string, SoundLeaf>): void {
    const known = new Set(this.primary.leaves.map(pixelName));
    for (const [name, leaf] of held) {
      if (!known.has(name)) this.rowsDiffer(`${folder}/${leaf.path}`, 0n, BigInt(leaf.footer.rows));
    }
  }

  async compare(where: string, sql: string): Promise<void> {
    const { missing = 0n, foreign = 0n } = await this.row(where, sql);
    if (missing > 0n || foreign > 0n) this.rowsDiffer(where, missing, foreign);
  }

  rowsDiffer(where: string, missing: bigint, foreign: bigint): void {
    const text = `${missing} rows of the catalogue are missing, ${foreign} are not those of the catalogue.`;
    this.findings.add('PART_ROWS', where, text);
  }

  async sorted(where: string, path: string, columns: readonly string[]): Promise<void> {
    const n = await this.number(where, unsortedSql(path, columns));
    if (n > 0n) this.findings.add('ROWS_UNSORTED', where, `${n} rows come before a row that they should follow.`);
  }

  async number(where: string, sql: string): Promise<bigint> {
    return (await this.row(where, sql)).n ?? 0n;
  }

  async row(where: string, sql: string): Promise<Readonly<Record<string, bigint>>> {
    const answer = await attempt(this.#database.rows(sql));
    if (answer instanceof Error) {
      this.findings.add('LEAF_UNREADABLE', where, engineSays(answer));
      return {};
    }
    return z.array(z.record(z.string(), z.bigint())).parse(answer)[0] ?? {};
  }
}

export const pixelName = ({ order, pixel }: Pixel) => `${order}-${pixel}`;

export const COARSE_MAPS = [4, 6].map(skyMapPath);
const ALWAYS: readonly string[] = [...PROPERTIES_NAMES, METADATA, COMMON_METADATA];
const OF_POSTERIOR: readonly string[] = [POINT_MAP, SKY_MAP, ...COARSE_MAPS, DATA_THUMBNAIL];

function belongsTo(kind: PartKind, path: string): boolean {
  if (ALWAYS.includes(path)) return true;
  if (kind === 'index') return pixelOfIndexPart(path) !== null;
  return (
    path === PARTITION_INFO || pixelOfLeafPath(path) !== null || (kind === 'posterior' && OF_POSTERIOR.includes(path))
  );
}
