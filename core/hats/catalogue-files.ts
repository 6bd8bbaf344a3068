import { type PhotozColumn, photozColumns, posteriorColumns, type TableShape } from '#core/hats/columns.ts';
import { fitsMap } from '#core/hats/fits-map.ts';
import { commonMetadataFile, type Footer, metadataOfLeaves } from '#core/hats/footer.ts';
import {
  COMMON_METADATA,
  METADATA,
  PARTITION_INFO,
  POINT_MAP,
  PROPERTIES_NAMES,
  SKY_MAP,
  skyMapPath,
} from '#core/hats/layout.ts';
import { coarsen } from '#core/hats/partition.ts';
import { INDEXED_COLUMN, type PartKind, pathInDataset } from '#core/hats/parts.ts';
import { DELIVERED_GRID } from '#core/hats/posterior.ts';
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
export function metadataFiles(
  first: Footer,
  leaves: readonly LeafFacts[] | null,
  kind: PartKind = 'object',
): readonly CatalogueFile[] {
  const common = { path: COMMON_METADATA, bytes: commonMetadataFile(first) };
  if (leaves === null) return [common];
  const named = leaves.map((leaf) => ({ path: pathInDataset(kind, leaf), footer: leaf.footer }));
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
  return bothNames({
    obs_collection: catalogue,
    dataproduct_type: 'object',
    obs_title: provenance.title,
    obs_description: provenance.description,
    ...skyProperties(shape, leaves),
    ...defaultColumns(photozColumns(shape)),
    ...mapProperties(map),
    ...makerProperties(provenance),
  });
}

/** The properties of a margin: its columns, default ones included, must be those of its primary. */
export function marginPropertiesFiles(
  { catalogue, primary, marginArcsec }: { catalogue: string; primary: string; marginArcsec: number },
  shape: TableShape,
  leaves: readonly Pick<LeafFacts, 'order' | 'sizeBytes' | 'footer'>[],
  provenance: Provenance,
): readonly CatalogueFile[] {
  return bothNames({
    obs_collection: catalogue,
    dataproduct_type: 'margin',
    hats_primary_table_url: primary,
    hats_margin_threshold: String(marginArcsec),
    ...skyProperties(shape, leaves),
    ...defaultColumns(photozColumns(shape)),
    ...makerProperties(provenance),
  });
}

export function posteriorPropertiesFiles(
  catalogue: string,
  shape: TableShape,
  leaves: readonly Pick<LeafFacts, 'order' | 'sizeBytes' | 'footer'>[],
  map: CountMap,
  provenance: Provenance,
): readonly CatalogueFile[] {
  const { zMin, zMax, points } = DELIVERED_GRID;
  return bothNames({
    obs_collection: catalogue,
    dataproduct_type: 'object',
    obs_title: `p(z): ${provenance.title}`,
    obs_description: `${provenance.description} One byte per point of a grid of ${points} values of z from ${zMin} to ${zMax}.`,
    ...skyProperties(shape, leaves),
    ...defaultColumns(posteriorColumns(shape)),
    ...mapProperties(map),
    ...makerProperties(provenance),
  });
}

export function indexPropertiesFiles(
  { catalogue, primary }: { catalogue: string; primary: string },
  leaves: readonly Pick<LeafFacts, 'sizeBytes' | 'footer'>[],
  provenance: Provenance,
): readonly CatalogueFile[] {
  return bothNames({
    obs_collection: catalogue,
    dataproduct_type: 'index',
    hats_primary_table_url: primary,
    hats_index_column: INDEXED_COLUMN,
    ...sizeProperties(leaves),
    ...makerProperties(provenance),
  });
}

function sizeProperties(leaves: readonly Pick<LeafFacts, 'sizeBytes' | 'footer'>[]): Properties {
  const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);
  return {
    hats_nrows: String(total(leaves.map(({ footer }) => footer.rows))),
    hats_max_rows: String(leaves.reduce((most, { footer }) => Math.max(most, footer.rows), 0)),
    // In units of 1,024 bytes.
    hats_estsize: String(Math.ceil(total(leaves.map(({ sizeBytes }) => sizeBytes)) / 1024)),
  };
}

function skyProperties(
  { coordinates }: TableShape,
  leaves: readonly Pick<LeafFacts, 'order' | 'sizeBytes' | 'footer'>[],
): Properties {
  return {
    ...sizeProperties(leaves),
    hats_col_ra: coordinates.ra,
    hats_col_dec: coordinates.dec,
    hats_col_healpix: INDEX_COLUMN,
    hats_col_healpix_order: String(INDEX_ORDER),
    hats_cols_sort: `${INDEX_COLUMN} objectId`,
    hats_npix_suffix: '.parquet',
    hats_order: String(leaves.reduce((deepest, { order }) => Math.max(deepest, order), 0)),
  };
}

const defaultColumns = (columns: readonly PhotozColumn[]): Properties => ({
  hats_cols_default: columns.flatMap((column) => (column.default ? [column.name] : [])).join(' '),
});

const mapProperties = (map: CountMap): Properties => ({
  hats_skymap_order: String(map.order),
  hats_skymap_alt_orders: coarseOrders(map.order).join(' '),
  moc_sky_fraction: (map.counts.length / pixelCount(map.order)).toPrecision(6),
});

const makerProperties = (provenance: Provenance): Properties => ({
  hats_builder: 'ponte',
  hats_creation_date: provenance.createdAt,
  hats_version: 'v1.0',
  ...provenance.properties,
});

function bothNames(properties: Properties): readonly CatalogueFile[] {
  const text = renderProperties('HATS catalog', properties);
  return PROPERTIES_NAMES.map((path) => ({ path, bytes: new TextEncoder().encode(text) }));
}

function coarseOrders(order: number): readonly number[] {
  return COARSE_MAP_ORDERS.filter((coarse) => coarse < order);
}
