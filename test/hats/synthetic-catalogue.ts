import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Database, parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { type CollectionParts, type FinishRequest, finishCatalogue } from '#adapters/hats-finisher.ts';
import { localLeafTails } from '#adapters/hats-leaf-tails.ts';
import { writeManifest } from '#adapters/hats-manifest.ts';
import { type PackedLeaf, type PackRequest, packPartition } from '#adapters/hats-packer.ts';
import { type PackedFile, type PackedParts, packParts } from '#adapters/hats-parts-packer.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { ESTIMATE_SUFFIXES, type TableShape } from '#core/hats/columns.ts';
import { felisYaml } from '#core/hats/felis.ts';
import { ingestManifest } from '#core/hats/ingest-manifest.ts';
import { FELIS_SCHEMA, INGEST_MANIFEST, inSkyOrder, PACKET } from '#core/hats/layout.ts';
import type { AlgorithmPoints } from '#core/hats/leaf.ts';
import { MARGIN_ARCSEC } from '#core/hats/margin.ts';
import { contentsOf, type Packet, packetSchema, renderPacket } from '#core/hats/packet.ts';
import type { PacketConfiguration } from '#core/hats/packet-configuration.ts';
import { packetDocuments } from '#core/hats/packet-documents.ts';
import { partitionSky } from '#core/hats/partition.ts';
import { partFolders } from '#core/hats/parts.ts';
import { TEXTS_VERSION } from '#core/hats/texts.ts';
import { healpix29Sql } from '#core/healpix.ts';

export const ALGORITHMS = ['bpz', 'fzboost'] as const;
export const CATALOGUE = 'object_photoz';
export const COORDINATES = { ra: 'coord_ra', dec: 'coord_dec' };
/** BPZ has templates, FlexZBoost has none. */
export const SHAPE: TableShape = { coordinates: COORDINATES, algorithms: ALGORITHMS, templates: ['bpz'] };
const COUNT_ORDER = 10;

/** Every 97th object has no row from fzboost, and every 89th a row without estimates and with a flag. */
const MISSING_EVERY = 97;
const FLAGGED_EVERY = 89;

export interface SyntheticParts {
  readonly rows: number;
  readonly skinny: readonly string[];
  readonly points: readonly AlgorithmPoints[];
  /** Algorithm -> files with p(z); empty unless asked for. */
  readonly pdfs: Readonly<Record<string, readonly string[]>>;
  readonly counts: readonly (readonly [number, number])[];
  readonly missing: number;
}

/** Where a synthetic sky has its objects: SQL over the running number `i`. */
export interface Sky {
  readonly ra: string;
  readonly dec: string;
}

/** A number on [0, 1) for object `i`, as SQL; a different series for each salt. */
export const uniform = (salt: number) => `(hash(i, ${salt})::DOUBLE / 18446744073709551616e0)`;

/** 0/360 degrees, a pole, a dense field and a thin background. */
const HARD_SKY: Sky = {
  ra: `CASE WHEN i % 20 < 13 THEN 56 + 9 * ${uniform(1)} WHEN i % 20 < 15 THEN (359.2 + 1.6 * ${uniform(1)}) % 360
    ELSE 360 * ${uniform(1)} END`,
  dec: `CASE WHEN i % 20 < 13 THEN -40 + 7 * ${uniform(2)} WHEN i % 20 < 15 THEN 3 * ${uniform(2)} - 1.5
    WHEN i % 20 < 16 THEN -90 + 2 * sqrt(${uniform(2)}) ELSE degrees(asin(2 * ${uniform(2)} - 1)) END`,
};

/**
 * Writes skinny parts and points like those that the pipeline makes, with the sky's hard places. Equal for equal
 * arguments. Parts follow the ids, so each covers all the sky.
 */
export async function writeParts(
  folder: string,
  rows: number,
  parts: number,
  { withPdfs = false, sky = HARD_SKY }: { readonly withPdfs?: boolean; readonly sky?: Sky } = {},
): Promise<SyntheticParts> {
  await mkdir(folder, { recursive: true });
  return await withDatabase({}, async (database) => {
    await database.run(
      `CREATE TABLE sky AS ${healpix29Sql(
        `(SELECT i, 1152921504606846976 + i * 1000003 AS objectId, ${sky.ra} AS ra, ${sky.dec} AS "dec",
        18 + 7 * ${uniform(3)} AS mag_r, round(0.05 + 2.4 * ${uniform(4)}, 2) AS z, 0.01 + 0.02 * ${uniform(5)} AS width
        FROM range(${rows}) r(i))`,
        'ra',
        'dec',
      )}`,
    );
    const skinny: string[] = [];
    for (let part = 0; part < parts; part++) {
      const path = join(folder, `skinny-${part}.parquet`);
      const select = 'SELECT _healpix_29, objectId, ra, "dec", mag_r::FLOAT AS mag_r FROM sky';
      const inPart = `i >= ${Math.floor((rows * part) / parts)} AND i < ${Math.floor((rows * (part + 1)) / parts)}`;
      await copy(database, `${select} WHERE ${inPart} ORDER BY _healpix_29, objectId`, path);
      skinny.push(path);
    }
    const points = [];
    for (const name of ALGORITHMS) {
      const files: string[] = [];
      for (const half of [0, 1]) {
        const path = join(folder, `${name}-${half}.parquet`);
        await copy(database, `${pointsSql(name)} AND i % 2 = ${half}`, path);
        files.push(path);
      }
      points.push({ name, points: files, template: SHAPE.templates.includes(name) });
    }
    const pdfs = withPdfs ? await writePdfs(database, folder) : {};
    const counts = await countPixels(database);
    return { rows, skinny, points, pdfs, counts, missing: Math.ceil(rows / MISSING_EVERY) };
  });
}

/** Two peaks, the higher at z, rounded to bytes, NULL where the flags say so; and as they are, for comparison. */
async function writePdfs(database: Database, folder: string): Promise<Record<string, readonly string[]>> {
  const peak = (at: string, width: string) => `exp(-pow((k * 0.01e0 - ${at}) / ${width}, 2) / 2)`;
  const value = `(${peak('z', 'width')} + 0.3 * ${peak('(3 - z)', '0.1')}) / (3 * width)`;
  const found: Record<string, readonly string[]> = {};
  for (const name of ALGORITHMS) {
    const path = join(folder, `${name}-pdf.parquet`);
    const packed = `unhex(array_to_string(list_transform(pdf, lambda p: printf('%02x', round_even(255 * p / top, 0)::INTEGER)), ''))`;
    const sound = `i % ${FLAGGED_EVERY} <> 0`;
    await database.run(`COPY (SELECT objectId, CASE WHEN ${sound} THEN ${packed} END AS pz,
      CASE WHEN ${sound} THEN top::FLOAT END AS pz_peak, pdf FROM (SELECT i, objectId, pdf, list_max(pdf) AS top FROM
      (SELECT i, objectId, list_transform(range(301), lambda k: ${value}) AS pdf FROM sky WHERE ${hasPoints(name)})))
      TO ${quoteLiteral(path)}
      (FORMAT parquet, COMPRESSION zstd, KV_METADATA {'ponte.grid': '{"zMin": 0.0, "zMax": 3.0, "points": 301}'})`);
    found[name] = [path];
  }
  return found;
}

const hasPoints = (name: string) => (name === 'fzboost' ? `i % ${MISSING_EVERY} <> 0` : 'true');

export interface SyntheticCatalogue {
  readonly folder: string;
  readonly rows: number;
  readonly leaves: readonly PackedLeaf[];
  /** With margin, index and p(z); empty for a catalogue without. */
  readonly packed: readonly PackedParts[];
  readonly finish: FinishRequest;
  readonly manifestSha256: Digest;
}

export const FOLDERS = partFolders(CATALOGUE, MARGIN_ARCSEC);

/** Packs the parts as one collection in `folder`, the way the pipeline does; with p(z), also margin and index. */
export async function buildCatalogue(
  folder: string,
  parts: SyntheticParts,
  maxRows: number,
): Promise<SyntheticCatalogue> {
  const leaves: PackedLeaf[] = [];
  const whole: PackedParts[] = [];
  const withParts = Object.keys(parts.pdfs).length > 0;
  for (const { order, pixel, rows } of partitionSky(parts.counts, { countOrder: COUNT_ORDER, maxRows })) {
    const request = { ...packBase(folder, parts), pixel: { order, pixel }, expectedRows: rows };
    if (withParts) {
      const packed = await packParts({ ...request, ...partsBase(folder, parts) });
      whole.push(packed);
      leaves.push({ order, pixel, ...packed.object, missing: {} });
    } else leaves.push(await packPartition(request));
  }
  const finish: FinishRequest = {
    folder,
    collection: 'synthetic',
    catalogue: CATALOGUE,
    shape: SHAPE,
    leaves: localLeafTails(join(folder, CATALOGUE), leaves),
    counts: { order: COUNT_ORDER, counts: parts.counts },
    provenance: { title: 'Synthetic: é = x', description: 'made for tests', createdAt: '2026-01-02T03:04:05Z' },
    ...(withParts ? { parts: partTails(folder, whole) } : {}),
  };
  const { rows, files } = await finishCatalogue(finish);
  const packed = leaves.map(({ path, sha256, sizeBytes }) => ({ path: `${CATALOGUE}/${path}`, sha256, sizeBytes }));
  if (withParts) {
    await writeDocuments(folder, leaves);
    await writeFile(join(folder, PACKET), renderPacket({ ...PACKET_FACTS, rows, partitions: leaves.length }));
  }
  const manifest = await sealWhole(folder, { rows, known: [...packed, ...files] });
  return { folder, rows, leaves, packed: whole, finish, manifestSha256: manifest.sha256 };
}

const DIGEST = sha256('anything');
const CONFIGURATION: PacketConfiguration = {
  ...{ title: 'Templates <and> more', references: ['Someone 2000, ApJ 1, 2'], estimator: 'rail.made_up.Estimator' },
  ...{ packages: { 'made-up': '1.2.3' }, bands: ['g', 'i'], referenceBand: 'i' },
  grid: { zMin: '0.0', zMax: '3.0', points: 301 },
  notDetected: { limits: { g: '29.0' }, meaning: 'It is left out.' },
  parameters: [
    { name: 'scatter', value: '0.1', unit: 'mag', stages: ['inform', 'estimate'], meaning: 'What is added to errors.' },
    { name: 'seed', value: '7', unit: null, stages: ['inform'], meaning: 'Seed of the split.' },
  ],
};

export const PACKET_FACTS: Omit<Packet, 'rows' | 'partitions'> = {
  version: 2,
  textsVersion: TEXTS_VERSION,
  collection: 'synthetic',
  title: 'Synthetic <b>|</b> *table*',
  release: 'made-up',
  campaign: 'made-up.one.0123456789',
  createdAt: '2026-01-02T03:04:05.000Z',
  previous: null,
  chunks: { used: 2, quarantined: 1 },
  profile: 'dc2-rail',
  recipe: 'skinny',
  training: { sha256: DIGEST, cut: null, source: null, licence: null, heldOut: { fraction: 0.1, seed: 1 } },
  environmentDigest: DIGEST,
  algorithms: ALGORITHMS.map((name) => ({
    name,
    configurationDigest: DIGEST,
    modelSha256: DIGEST,
    configuration: name === 'bpz' ? CONFIGURATION : null,
    metrics: { sigma_mad: 0.02, outlier_share_015: name === 'bpz' ? 0.2 : null },
  })),
  approval: null,
  publication: null,
  contents: [],
};

/** The manifest of what is there, after the packet, where it is there, was made to agree with it. */
export async function sealWhole(folder: string, facts: Omit<Parameters<typeof writeManifest>[1], 'collection'>) {
  const all = { collection: 'synthetic', ...facts };
  const { manifest } = await writeManifest(folder, all);
  if (!manifest.files.some(({ path }) => path === PACKET)) return await writeManifest(folder, all);
  const packet = packetSchema.parse(JSON.parse(await readFile(join(folder, PACKET), 'utf8')));
  const documents = packetDocuments({ ...packet, contents: [...contentsOf(manifest.files)] }, SHAPE);
  for (const [path, text] of Object.entries(documents)) await writeFile(join(folder, path), text);
  return await writeManifest(folder, all);
}

/** What databases are loaded from. */
export async function writeDocuments(folder: string, leaves: readonly PackedLeaf[]): Promise<void> {
  const facts = { schema: 'synthetic_photoz', table: CATALOGUE, description: 'For "tests"', version: 'one' };
  const files = leaves.toSorted(inSkyOrder).map((leaf) => ({ ...leaf, path: `${CATALOGUE}/${leaf.path}` }));
  await writeFile(join(folder, FELIS_SCHEMA), felisYaml(facts, SHAPE));
  await writeFile(join(folder, INGEST_MANIFEST), ingestManifest({ database: 'x', table: CATALOGUE }, SHAPE, files));
}

/** What packing all parts of a partition takes beyond packing its leaf; every part reaches everywhere here. */
export function partsBase(folder: string, { pdfs }: SyntheticParts) {
  return { folder, folders: FOLDERS, marginArcsec: MARGIN_ARCSEC, around: { skinny: [], points: {} }, pdfs };
}

/** Fresh ends of the parts' files; they can be read once. */
export function partTails(folder: string, packed: readonly PackedParts[]): CollectionParts {
  const tails = <T extends PackedFile>(
    kind: 'margin' | 'index' | 'posterior',
    fileOf: (one: PackedParts) => T | null,
  ) =>
    localLeafTails(
      join(folder, FOLDERS[kind]),
      packed.flatMap(({ order, pixel, ...one }) => {
        const file = fileOf({ order, pixel, ...one });
        return file ? [{ ...file, order, pixel }] : [];
      }),
      kind,
    );
  return {
    ...{ folders: FOLDERS, marginArcsec: MARGIN_ARCSEC },
    margin: tails('margin', ({ margin }) => margin),
    index: tails('index', ({ index }) => index),
    posterior: tails('posterior', ({ posterior }) => posterior),
  };
}

export function packBase(folder: string, { skinny, points }: SyntheticParts): Omit<PackRequest, 'pixel'> {
  return {
    folder: join(folder, CATALOGUE),
    table: { name: CATALOGUE, description: 'Synthetic <test> & "quotes"' },
    coordinates: COORDINATES,
    skinny,
    algorithms: points,
    // Several row groups in each leaf.
    encoding: { rowGroupRows: 2048 },
  };
}

function pointsSql(name: string): string {
  const offsets = [0, 0, 0.002, 0, -1, 1, -2, 2];
  const estimates = ESTIMATE_SUFFIXES.map((suffix, index) => {
    const value = suffix === 'odds' ? '1 / (1 + 10 * width)' : `least(greatest(z + width * ${offsets[index]}, 0), 3)`;
    return `CASE WHEN i % ${FLAGGED_EVERY} <> 0 THEN ${value}::FLOAT END AS ${name}_${suffix}`;
  });
  const flags = `(CASE WHEN i % ${FLAGGED_EVERY} = 0 THEN 4 ELSE 0 END)::INTEGER AS ${name}_flags`;
  // As the worker writes it: also where there are no estimates.
  const template = SHAPE.templates.includes(name) ? [`(i % 8)::INTEGER AS ${name}_template`] : [];
  return `SELECT objectId, ${[...estimates, ...template].join(', ')}, ${flags} FROM sky WHERE ${hasPoints(name)}`;
}

async function copy(database: Database, select: string, path: string): Promise<void> {
  await database.run(`COPY (${select}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`);
}

async function countPixels(database: Database): Promise<[number, number][]> {
  const shift = 2 * (29 - COUNT_ORDER);
  const rows = await database.rows(
    `SELECT (_healpix_29 >> ${shift})::DOUBLE AS pixel, count(*)::DOUBLE AS n FROM sky GROUP BY 1 ORDER BY 1`,
  );
  return z
    .array(z.object({ pixel: z.number(), n: z.number() }))
    .parse(rows)
    .map(({ pixel, n }) => [pixel, n]);
}

/** All rows of one leaf, for tests that look inside. */
export const leafRelation = (folder: string, leaf: PackedLeaf): string =>
  parquetRelation([join(folder, CATALOGUE, leaf.path)]);
