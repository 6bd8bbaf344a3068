import type { Digest } from '#core/digest.ts';
import { photozColumns, type TableShape } from '#core/hats/columns.ts';
import type { Pixel } from '#core/healpix.ts';

export interface IngestFile extends Pixel {
  /** Relative to the collection's folder. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly sha256: Digest;
}

/**
 * What a database site needs to load the table: the columns and the key, every partition file with its rows and
 * digest, and the sums to compare with afterwards. Qserv takes objectId as the director's key and the two coordinates
 * to place rows in its own chunks; a HEALPix partition of ours is not a chunk of Qserv's.
 */
export function ingestManifest(
  { database, table }: { readonly database: string; readonly table: string },
  shape: TableShape,
  files: readonly IngestFile[],
): string {
  const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);
  const head = {
    version: 1,
    database,
    table,
    format: 'parquet',
    director_key: 'objectId',
    longitude_key: shape.coordinates.ra,
    latitude_key: shape.coordinates.dec,
    rows: total(files.map(({ rows }) => rows)),
    size_bytes: total(files.map(({ sizeBytes }) => sizeBytes)),
    columns: photozColumns(shape).map(({ name, datatype, algorithm }) => ({
      name,
      datatype,
      nullable: algorithm !== null,
    })),
  };
  const lines = files.map(({ path, order, pixel, rows, sizeBytes, sha256 }) =>
    JSON.stringify({ path, norder: order, npix: pixel, rows, size_bytes: sizeBytes, sha256 }),
  );
  const opening = JSON.stringify(head, null, 2).slice(0, -2);
  return `${opening},\n  "files": [\n${lines.map((line) => `    ${line}`).join(',\n')}\n  ]\n}\n`;
}
