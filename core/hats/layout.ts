import { indexRange, type Pixel } from '#core/healpix.ts';

/*
 * Where a HATS collection keeps things (IVOA note "HATS", 2025-08), relative to the collection's folder:
 *   collection.properties, manifest.json, felis.yaml, ingest.json, pz.properties,
 *   packet.json, README.md, DELIVERY_NOTE.md, validation.json, validation.html
 *   {catalogue}/properties, hats.properties, partition_info.csv, point_map.fits, skymap.fits, skymap.{order}.fits,
 *   data_thumbnail.parquet
 *   {catalogue}/dataset/_metadata, _common_metadata, Norder={o}/Dir={d}/Npix={p}.parquet
 */
export const COLLECTION_PROPERTIES = 'collection.properties';
export const MANIFEST = 'manifest.json';
/** For TAP_SCHEMA, and for database sites. */
export const FELIS_SCHEMA = 'felis.yaml';
export const INGEST_MANIFEST = 'ingest.json';
/** What Rubin's data guidelines ask for (RTN-105): the facts, what is made from them, and the report that was approved. */
export const PACKET = 'packet.json';
export const DOCUMENTATION = 'README.md';
export const DELIVERY_NOTE = 'DELIVERY_NOTE.md';
export const APPROVED_REPORT = 'validation.json';
export const APPROVED_PAGE = 'validation.html';
const DATASET = 'dataset';
export const METADATA = `${DATASET}/_metadata`;
export const COMMON_METADATA = `${DATASET}/_common_metadata`;
/** Two names for one content: the IVOA note asks for the first, hats reads the second first. */
export const PROPERTIES_NAMES = ['properties', 'hats.properties'] as const;
export const PARTITION_INFO = 'partition_info.csv';
export const POINT_MAP = 'point_map.fits';
export const SKY_MAP = 'skymap.fits';
/** The first row of each leaf: what hats shows of a catalogue without opening its leaves. */
export const DATA_THUMBNAIL = 'data_thumbnail.parquet';

/** Of a sky map; a full map of order 13 has 800 million pixels. */
export const DEEPEST_MAP_ORDER = 13;

export const skyMapPath = (order: number): string => `skymap.${order}.fits`;

/** The number of a leaf's directory, which holds at most 10,000 pixels. */
export const directoryOf = ({ pixel }: Pixel): number => Math.floor(pixel / 10_000) * 10_000;

/** A leaf's path inside `dataset/`. */
export function leafPathInDataset({ order, pixel }: Pixel): string {
  return `Norder=${order}/Dir=${directoryOf({ order, pixel })}/Npix=${pixel}.parquet`;
}

/** A leaf's path inside its catalogue's folder. */
export function leafPath(pixel: Pixel): string {
  return `${DATASET}/${leafPathInDataset(pixel)}`;
}

const LEAF = /^dataset\/Norder=(\d{1,2})\/Dir=\d+\/Npix=(\d+)\.parquet$/;

/** The pixel of a leaf's path inside its catalogue; null for any other path, also one in the wrong directory. */
export function pixelOfLeafPath(path: string): Pixel | null {
  const match = LEAF.exec(path);
  if (!match) return null;
  const pixel = { order: Number(match[1]), pixel: Number(match[2]) };
  return leafPath(pixel) === path ? pixel : null;
}

/** Along the sky: by the first `_healpix_29` of the pixel, the wider pixel first. */
export function inSkyOrder(a: Pixel, b: Pixel): number {
  const [startA, startB] = [indexRange(a).from, indexRange(b).from];
  return startA < startB ? -1 : startA > startB ? 1 : a.order - b.order;
}
