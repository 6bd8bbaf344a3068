import { join } from 'node:path';
import { type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import { checkDigests } from '#adapters/hats-digest-check.ts';
import { checkDocuments } from '#adapters/hats-documents-check.ts';
import { filesBelow } from '#adapters/hats-manifest.ts';
import { checkParts, type NamedParts } from '#adapters/hats-parts-check.ts';
import { checkColumns, checkIds, checkRows } from '#adapters/hats-row-check.ts';
import { checkProperties, checkStructure, readProperties } from '#adapters/hats-structure-check.ts';
import { checkThumbnail } from '#adapters/hats-thumbnail-check.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { photozColumns } from '#core/hats/columns.ts';
import {
  COLLECTION_PROPERTIES,
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
import type { Manifest } from '#core/hats/manifest.ts';
import { INDEXED_COLUMN, POSTERIOR_ALIAS, POSTERIOR_LINK } from '#core/hats/parts.ts';
import type { Properties } from '#core/hats/properties.ts';
import { Findings, type VerifyReport } from '#core/hats/verdict.ts';

interface VerifyProgress {
  /** `digests` counts bytes, `footers` leaves, `rows` rows, `ids` passes over the ids, `parts` leaves of parts. */
  readonly stage: 'digests' | 'footers' | 'rows' | 'ids' | 'parts';
  readonly done: number;
  readonly total: number;
}

export interface VerifyRequest {
  /** The collection's folder, with `collection.properties` and `manifest.json`. */
  readonly folder: string;
  /** What the plan or the delivery says. */
  readonly expectedRows?: number;
  /** The digest of `manifest.json` that the delivery recorded. Without it the manifest is taken at its word. */
  readonly manifestSha256?: Digest;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Bounds of the engine. */
  readonly database?: DatabaseOptions;
  /** Partitions whose margin is also looked for by geometry alone; 8. */
  readonly marginSamples?: number;
}

/** Of the sky map; a full map of order 13 has 800 million pixels. */
const DEEPEST_MAP_ORDER = 13;

/**
 * Checks all that can be checked of a delivered collection without the pipeline that made it: every digest, frame,
 * schema, row and id. It needs no account and no network, so the receiving side runs the same. HATS's own strict
 * validation accepts truncated and unsorted leaves, a zeroed index and wrong counts.
 *
 * What is wrong with the collection is in the report; rejects only when the engine has too little memory to
 * judge, or with an {@link InputError} `FOLDER_UNREADABLE`.
 */
export async function verifyCatalogue(request: VerifyRequest): Promise<VerifyReport> {
  const { folder, expectedRows } = request;
  const findings = new Findings();
  const report = (stage: VerifyProgress['stage']) => (done: number, total: number) =>
    request.onProgress?.({ stage, done, total });

  const present = await filesBelow(folder).catch((cause: unknown) => {
    throw unreadableFolder(folder, cause);
  });
  const manifest = await checkDigests(folder, present, request.manifestSha256, findings, report('digests'));
  const collection = await checkCollection(folder, findings);
  const catalogue = collection?.hats_primary_table_url;
  const checked =
    collection && catalogue
      ? await checkCatalogue(request, collection, catalogue, manifest, present, findings, report)
      : null;

  const rows = checked?.rows ?? 0;
  if (checked && manifest && manifest.rows !== rows) {
    findings.add('MANIFEST_ROWS', '', `The leaves hold ${rows} rows, the manifest says ${manifest.rows}.`);
  }
  if (checked && expectedRows !== undefined && expectedRows !== rows) {
    findings.add('ROWS_EXPECTED', catalogue ?? '', `The leaves hold ${rows} rows, expected ${expectedRows}.`);
  }
  return {
    sound: findings.kept.length === 0,
    collection: collection?.obs_collection ?? null,
    rows,
    leaves: checked?.leaves ?? 0,
    files: present.length,
    sizeBytes: manifest?.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? 0,
    findings: findings.kept,
    suppressed: findings.suppressed,
    notes: findings.notes,
  };
}

function unreadableFolder(folder: string, cause: unknown): InputError {
  return new InputError(`cannot list the files below ${folder}`, {
    code: 'FOLDER_UNREADABLE',
    hint: 'give the folder of a delivered collection, the one with collection.properties',
    cause,
  });
}

async function checkCollection(folder: string, findings: Findings): Promise<Properties | null> {
  const collection = await readProperties(join(folder, COLLECTION_PROPERTIES));
  if (!collection?.obs_collection || !/^(?!\.{1,2}$)[A-Za-z0-9_.-]+$/.test(collection.hats_primary_table_url ?? '')) {
    const text = 'It must be there, with obs_collection and a folder of this collection as hats_primary_table_url.';
    findings.add('COLLECTION_UNREADABLE', COLLECTION_PROPERTIES, text);
    return null;
  }
  return collection;
}

/** A folder of this collection, or the name of one of its columns. */
const NAME = '(?!\\.{1,2}(?: |$))[A-Za-z0-9_.-]+';

/** What a collection may list so that this verifier can check it: one margin, one index by objectId, one extension. */
const LISTED = {
  margin: { key: 'all_margins', form: new RegExp(`^(?<folder>${NAME})$`) },
  index: { key: 'all_indexes', form: new RegExp(`^${INDEXED_COLUMN} (?<folder>${NAME})$`) },
  posterior: { key: 'all_extensions', form: new RegExp(`^${POSTERIOR_ALIAS} ${POSTERIOR_LINK.replace('.', '\\.')}$`) },
} as const;

/** The folders of the parts that the collection lists. */
async function namedParts(folder: string, collection: Properties, findings: Findings): Promise<NamedParts> {
  const folders: { margin?: string; index?: string; posterior?: string } = {};
  for (const [kind, { key, form }] of Object.entries(LISTED)) {
    const value = collection[key];
    if (!value) continue;
    const matched = form.exec(value);
    const link = kind === 'posterior' && matched ? await readProperties(join(folder, POSTERIOR_LINK)) : null;
    const named = kind === 'posterior' ? (link?.hats_assn_join_table_url ?? '') : (matched?.groups?.folder ?? '');
    if (!new RegExp(`^${NAME}$`).test(named)) {
      findings.add('PART_NOT_CHECKED', COLLECTION_PROPERTIES, `It lists ${key} "${value}".`);
    } else if (kind === 'margin' || kind === 'index' || kind === 'posterior') folders[kind] = named;
  }
  return folders;
}

async function checkCatalogue(
  { folder, database: options, marginSamples = 8 }: VerifyRequest,
  collection: Properties,
  catalogue: string,
  manifest: Manifest | null,
  present: readonly string[],
  findings: Findings,
  report: (stage: VerifyProgress['stage']) => (done: number, total: number) => void,
): Promise<{ readonly rows: number; readonly leaves: number }> {
  const properties = (await checkProperties(folder, catalogue, findings)) ?? {};
  const inside = present.flatMap((path) =>
    path.startsWith(`${catalogue}/`) ? [path.slice(catalogue.length + 1)] : [],
  );
  const { leaves, rows } = await checkStructure(folder, catalogue, inside, findings, report('footers'));
  for (const path of inside) {
    if (!belongs(path))
      findings.add('FILE_STRAY', `${catalogue}/${path}`, 'No reader of the catalogue knows this file.');
  }
  const mapOrder = Number(properties.hats_skymap_order);
  const usable = properties.dataproduct_type === 'object' && properties.obs_collection !== undefined;
  const mapped = Number.isInteger(mapOrder) && mapOrder >= 0 && mapOrder <= DEEPEST_MAP_ORDER;
  if (!usable || !mapped || leaves.length === 0) {
    const text = 'It needs obs_collection, dataproduct_type=object, hats_skymap_order and at least one sound leaf.';
    findings.add('PROPERTIES_UNREADABLE', `${catalogue}/properties`, text);
  }
  if (properties.hats_nrows !== String(rows)) {
    const text = `hats_nrows is ${properties.hats_nrows ?? 'missing'}, the leaves hold ${rows} rows.`;
    findings.add('ROWS_DECLARED', `${catalogue}/properties`, text);
  }
  const parts = await namedParts(folder, collection, findings);
  const [first] = leaves;
  if (!first) return { rows, leaves: 0 };
  const place = { root: folder, catalogue };
  await withDatabase(options ?? {}, async (database) => {
    const shape = await checkColumns(database, place, first, properties, findings);
    if (shape === null) return;
    const readable = await checkRows(database, place, leaves, shape, mapped ? mapOrder : null, findings, (done) =>
      report('rows')(done, rows),
    );
    await checkThumbnail(database, place, readable, photozColumns(shape), present, findings);
    await checkIds(database, place, readable, findings, report('ids'));
    const primary = { ...place, collection: collection.obs_collection ?? '', properties, shape, leaves: readable };
    await checkDocuments(primary, manifest, present, findings);
    await checkParts(database, primary, { ...parts, marginSamples }, present, findings, report('parts'));
  });
  return { rows, leaves: leaves.length };
}

const KNOWN_FILES: readonly string[] = [
  ...[...PROPERTIES_NAMES, PARTITION_INFO, POINT_MAP, SKY_MAP, DATA_THUMBNAIL, METADATA, COMMON_METADATA],
  ...Array.from({ length: DEEPEST_MAP_ORDER + 1 }, (_, order) => skyMapPath(order)),
];

function belongs(path: string): boolean {
  return KNOWN_FILES.includes(path) || pixelOfLeafPath(path) !== null;
}
