import { type PhotozColumn, photozColumns, type TableShape } from '#core/hats/columns.ts';
import { fitsMap } from '#core/hats/fits-map.ts';
import { commonMetadataFile, type Footer, metadataOfLeaves } from '#core/hats/footer.ts';
import {
  COMMON_METADATA,
  leafPathInDataset,
  METADATA,
  PARTITION_INFO,
  POINT_MAP,
  PROPERTIES_NAMES,
  SKY_MAP,
  skyMapPath,
} from '#core/hats/layout.ts';
import { coarsen } from '#core/hats/partition.ts';
import { type Properties, renderProperties } from '#core/hats/properties.ts';
import { INDEX_COLUMN, INDEX_ORDER, type Pixel, pixelCount } from '#core/healpix.ts';

/** A small file of the catalogue; `path` is relative to the catalogue's folder. */
export interface CatalogueFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface LeafFacts extends Pixel {
  readonly sizeBytes: number;
  readonly footer: Pick<Footer, 'rows' | 'rowGroups'>;
}

export interface CountMap {
  /** Order of the counted pixels. */
  readonly order: number;
  /** [pixel, rows] in ascending order of pixels. */
  readonly counts: readonly (readonly [number, number])[];
}

export interface Provenance {
  readonly title: string;
  readonly description: string;
  /** When the table was made, ISO 8601. */
  readonly createdAt: string;
  /** More keys for `properties`, such as `obs_copyright` or `prov_progenitor` (IVOA note "HATS"). */
  readonly properties?: Properties;
}

/** Orders at which a coarser sky map goes with the full one, where that one is finer. */
const COARSE_MAP_ORDERS = [4, 6];

/** `_common_metadata`, and with `leaves` (in sky order) `_metadata`. */
export function metadataFiles(first: Footer, leaves: readonly LeafFacts[] | null): readonly CatalogueFile[] {
  const common = { path: COMMON_METADATA, bytes: commonMetadataFile(first) };
  if (leaves === null) return [common];
  const named = leaves.map((leaf) => ({ path: leafPathInDataset(leaf), footer: leaf.footer }));
  return [common, { path: METADATA, bytes: metadataOfLeaves(first, named) }];
}

/** The sky maps. `point_map.fits` is what readers take the coverage from when they cut by a region. */
export function mapFiles({ order, counts }: CountMap): readonly CatalogueFile[] {
  const full = fitsMap(order, counts);
  const coarse = coarseOrders(order).map((to) => ({
    path: skyMapPath(to),
    bytes: fitsMap(to, coarsen(counts, order - to)),
  }));
  return [{ path: POINT_MAP, bytes: full }, { path: SKY_MAP, bytes: full }, ...coarse];
}

/** `partition_info.csv`; `partitions` in sky order. */
export function partitionInfoFile(partitions: readonly Pixel[]): CatalogueFile {
  const lines = partitions.map(({ order, pixel }) => `${order},${pixel}`);
  return { path: PARTITION_INFO, bytes: new TextEncoder().encode(['Norder,Npix', ...lines, ''].join('\n')) };
}

/** The catalogue's `properties`, under both of its names. */
export function propertiesFiles(
  catalogue: string,
  shape: TableShape,
  leaves: readonly Pick<LeafFacts, 'order' | 'sizeBytes' | 'footer'>[],
  map: CountMap,
  provenance: Provenance,
): readonly CatalogueFile[] {
  const rowsOf = leaves.map(({ footer }) => footer.rows);
  const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);
  const columns: readonly PhotozColumn[] = photozColumns(shape);
  const text = renderProperties('HATS catalog', {
    obs_collection: catalogue,
    dataproduct_type: 'object',
    obs_title: provenance.title,
    obs_description: provenance.description,
    hats_nrows: String(total(rowsOf)),
    hats_col_ra: shape.coordinates.ra,
    hats_col_dec: shape.coordinates.dec,
    hats_col_healpix: INDEX_COLUMN,
    hats_col_healpix_order: String(INDEX_ORDER),
    hats_cols_default: columns.flatMap((column) => (column.default ? [column.name] : [])).join(' '),
    hats_cols_sort: `${INDEX_COLUMN} objectId`,
    hats_npix_suffix: '.parquet',
    hats_order: String(leaves.reduce((deepest, { order }) => Math.max(deepest, order), 0)),
    hats_max_rows: String(rowsOf.reduce((most, rows) => Math.max(most, rows), 0)),
    hats_skymap_order: String(map.order),
    hats_skymap_alt_orders: coarseOrders(map.order).join(' '),
    // In units of 1,024 bytes.
    hats_estsize: String(Math.ceil(total(leaves.map(({ sizeBytes }) => sizeBytes)) / 1024)),
    moc_sky_fraction: (map.counts.length / pixelCount(map.order)).toPrecision(6),
    hats_builder: 'ponte',
    hats_creation_date: provenance.createdAt,
    hats_version: 'v1.0',
    ...provenance.properties,
  });
  return PROPERTIES_NAMES.map((path) => ({ path, bytes: new TextEncoder().encode(text) }));
}

/** `collection.properties`, which makes the folder of catalogues one thing to open. */
export function collectionProperties(collection: string, catalogue: string): string {
  return renderProperties('HATS Collection', { obs_collection: collection, hats_primary_table_url: catalogue });
}

function coarseOrders(order: number): readonly number[] {
  return COARSE_MAP_ORDERS.filter((coarse) => coarse < order);
}
