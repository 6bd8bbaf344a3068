import {
  COMMON_METADATA,
  DATA_THUMBNAIL,
  DEEPEST_MAP_ORDER,
  leafPath,
  METADATA,
  PARTITION_INFO,
  POINT_MAP,
  PROPERTIES_NAMES,
  pixelOfLeafPath,
  SKY_MAP,
  skyMapPath,
} from '#core/hats/layout.ts';
import { type Properties, renderProperties } from '#core/hats/properties.ts';
import type { Pixel } from '#core/healpix.ts';

/** The catalogues of a collection: the estimates, their margin cache, the index by objectId, and p(z). */
export const PART_KINDS = ['object', 'margin', 'index', 'posterior'] as const;
export type PartKind = (typeof PART_KINDS)[number];

/** The column that the index leads from. */
export const INDEXED_COLUMN = 'objectId';
/** The name that `catalog.load_extension` takes for p(z). */
export const POSTERIOR_ALIAS = 'pz';
export const POSTERIOR_LINK = `${POSTERIOR_ALIAS}.properties`;

/** The folder of each catalogue inside the collection. */
export function partFolders(catalogue: string, marginArcsec: number): Readonly<Record<PartKind, string>> {
  return {
    object: catalogue,
    margin: `${catalogue}_${String(marginArcsec).replace('.', 'p')}arcs`,
    index: `${catalogue}_index`,
    posterior: `${catalogue}_${POSTERIOR_ALIAS}`,
  };
}

const INDEX_FOLDER = 'dataset/index';
const INDEX_PART = /^dataset\/index\/part\.(\d{1,2})-(\d+)\.parquet$/;

/** The part of the index that leads into one leaf, relative to the index's folder. */
export const indexPartPath = ({ order, pixel }: Pixel): string => `${INDEX_FOLDER}/part.${order}-${pixel}.parquet`;

function pixelOfIndexPart(path: string): Pixel | null {
  const match = INDEX_PART.exec(path);
  return match ? { order: Number(match[1]), pixel: Number(match[2]) } : null;
}

/** Where a part keeps what it has for one partition, relative to its folder. */
export const partLeafPath = (kind: PartKind, pixel: Pixel): string =>
  kind === 'index' ? indexPartPath(pixel) : leafPath(pixel);

/** The same as `_metadata` names it, which lies in `dataset/`. */
export const pathInDataset = (kind: PartKind, pixel: Pixel): string =>
  partLeafPath(kind, pixel).slice('dataset/'.length);

/** The partition of such a path; null for any other. */
export const pixelOfPartLeaf = (kind: PartKind, path: string): Pixel | null =>
  kind === 'index' ? pixelOfIndexPart(path) : pixelOfLeafPath(path);

const ALWAYS: readonly string[] = [...PROPERTIES_NAMES, METADATA, COMMON_METADATA];
const OF_OBJECTS: readonly string[] = [
  ...[POINT_MAP, SKY_MAP, DATA_THUMBNAIL],
  ...Array.from({ length: DEEPEST_MAP_ORDER + 1 }, (_, order) => skyMapPath(order)),
];

/** Whether a catalogue of this kind has such a file; `path` is relative to its folder. */
export function belongsTo(kind: PartKind, path: string): boolean {
  if (ALWAYS.includes(path) || pixelOfPartLeaf(kind, path) !== null) return true;
  if (kind === 'index') return false;
  return path === PARTITION_INFO || (kind !== 'margin' && OF_OBJECTS.includes(path));
}

/** `collection.properties`, which makes the folder of catalogues one thing to open. */
export function collectionProperties(
  collection: string,
  folders: Readonly<Partial<Record<PartKind, string>>> & { readonly object: string },
): string {
  const { object, margin = '', index, posterior } = folders;
  return renderProperties('HATS Collection', {
    obs_collection: collection,
    hats_primary_table_url: object,
    all_margins: margin,
    default_margin: margin,
    all_indexes: index === undefined ? '' : `${INDEXED_COLUMN} ${index}`,
    default_index: index === undefined ? '' : INDEXED_COLUMN,
    all_extensions: posterior === undefined ? '' : `${POSTERIOR_ALIAS} ${POSTERIOR_LINK}`,
  });
}

/** `pz.properties`, which says how p(z) joins the estimates. `columns` without keys. */
export function posteriorLink(collection: string, folder: string, columns: readonly string[]): Properties {
  return {
    obs_collection: POSTERIOR_ALIAS,
    dataproduct_type: 'extension',
    hats_primary_table_url: collection,
    hats_col_assn_primary: INDEXED_COLUMN,
    hats_assn_join_table_url: folder,
    hats_col_assn_join: INDEXED_COLUMN,
    hats_ext_cols: columns.join(' '),
    hats_ext_join_style: 'left',
    hats_ext_shares_primary_coords: 'true',
  };
}
