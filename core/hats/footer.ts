import { createHash } from 'node:crypto';
import { asDigest, type Digest } from '#core/digest.ts';
import {
  encodeFieldHeader,
  encodeInteger,
  encodeListHeader,
  encodeVarint,
  THRIFT_CONTAINER,
  THRIFT_TYPE,
  ThriftCursor,
} from '#core/hats/thrift-compact.ts';

/** Field ids of `FileMetaData`, `RowGroup` and `ColumnChunk` in parquet.thrift. */
const FILE = { schema: 2, rows: 3, rowGroups: 4, keyValues: 5 } as const;
const ROW_GROUP = { columns: 1, rows: 3 } as const;
const CHUNK = { filePath: 1 } as const;
const KEY_VALUE = { key: 1, value: 2 } as const;

const MAGIC = new TextEncoder().encode('PAR1');

/** A Parquet footer (`FileMetaData`), taken apart as far as putting it together again needs. */
export interface Footer {
  readonly rows: number;
  readonly rowGroups: readonly { readonly rows: number; readonly bytes: Uint8Array }[];
  readonly keyValues: ReadonlyMap<string, string>;
  /** Every field but rows and row groups, as bytes without field headers, by field id. */
  readonly fields: ReadonlyMap<number, { readonly type: number; readonly bytes: Uint8Array }>;
}

/** @throws {RangeError} when the bytes are not a footer. */
export function parseFooter(bytes: Uint8Array): Footer {
  const cursor = new ThriftCursor(bytes);
  const fields = new Map<number, { type: number; bytes: Uint8Array }>();
  let rows: number | null = null;
  let rowGroups: Footer['rowGroups'] | null = null;
  let keyValues: Footer['keyValues'] = new Map();
  for (let field = cursor.field(0); field; field = cursor.field(field.id)) {
    const start = cursor.position;
    if (field.id === FILE.rows) rows = cursor.integer();
    else if (field.id === FILE.rowGroups) rowGroups = readList(cursor, readRowGroup);
    else {
      if (field.id === FILE.keyValues) keyValues = new Map(readList(new ThriftCursor(bytes, start), readKeyValue));
      cursor.skip(field.type);
      fields.set(field.id, { type: field.type, bytes: bytes.subarray(start, cursor.position) });
    }
  }
  if (cursor.position !== bytes.length) throw new RangeError(`it ends at byte ${cursor.position} of ${bytes.length}`);
  if (rows === null || rowGroups === null || !fields.has(FILE.schema)) {
    throw new RangeError('rows, row groups or schema are missing');
  }
  return { rows, rowGroups, keyValues, fields };
}

/**
 * Equal for two files exactly when they have the same columns, types, key-value metadata and writer, byte for byte.
 */
export function schemaDigest(footer: Footer): Digest {
  const hash = createHash('sha256');
  for (const [id, { type, bytes }] of footer.fields) hash.update(`${id}:${type}:${bytes.length}:`).update(bytes);
  return asDigest(hash.digest('hex'));
}

/**
 * The bytes of a `_common_metadata` file: the schema and key-value metadata that all leaves share, and no rows.
 */
export function commonMetadataFile(first: Footer): Uint8Array {
  return metadataFile(first, 0, []);
}

/**
 * The bytes of a `_metadata` file: the row groups of all leaves, in the given order, each column chunk with the path
 * of its file put in; all else is copied byte for byte. Memory: all leaves' row groups, about 100 bytes per column
 * and row group.
 *
 * @param leaves `path` relative to the `_metadata` file's folder.
 */
export function metadataOfLeaves(
  first: Footer,
  leaves: readonly { readonly path: string; readonly footer: Pick<Footer, 'rows' | 'rowGroups'> }[],
): Uint8Array {
  const rows = leaves.reduce((sum, { footer }) => sum + footer.rows, 0);
  const rowGroups = leaves.flatMap(({ path, footer }) =>
    footer.rowGroups.map((rowGroup) => withFilePath(rowGroup.bytes, path)),
  );
  return metadataFile(first, rows, rowGroups);
}

/** What one leaf adds to a `_metadata` file. @throws {RangeError} when its row groups name files already. */
export function metadataOfLeaf(footer: Pick<Footer, 'rowGroups'>, path: string): Uint8Array {
  return Buffer.concat(footer.rowGroups.map((rowGroup) => withFilePath(rowGroup.bytes, path)));
}

function metadataFile(first: Footer, rows: number, rowGroups: readonly Uint8Array[]): Uint8Array {
  const sizeBytes = rowGroups.reduce((sum, part) => sum + part.length, 0);
  const { head, tail } = metadataFrame(first, { rows, rowGroups: rowGroups.length, sizeBytes });
  return Buffer.concat([head, ...rowGroups, tail]);
}

/** What stands before and behind the row groups of a `_metadata` file: so that one can be compared piece by piece. */
export function metadataFrame(
  first: Footer,
  groups: { readonly rows: number; readonly rowGroups: number; readonly sizeBytes: number },
): { readonly head: Uint8Array; readonly tail: Uint8Array } {
  const head: (Uint8Array | readonly number[])[] = [MAGIC];
  const tail: (Uint8Array | readonly number[])[] = [];
  const ids = [...first.fields.keys(), FILE.rows, FILE.rowGroups].sort((a, b) => a - b);
  for (const [index, id] of ids.entries()) {
    const previous = ids[index - 1] ?? 0;
    if (id === FILE.rows) {
      head.push([...encodeFieldHeader(id, previous, THRIFT_TYPE.i64), ...encodeInteger(groups.rows)]);
    } else if (id === FILE.rowGroups) {
      head.push(encodeFieldHeader(id, previous, THRIFT_CONTAINER.list));
      head.push(encodeListHeader(groups.rowGroups, THRIFT_CONTAINER.struct));
    } else {
      const field = first.fields.get(id);
      const side = id < FILE.rowGroups ? head : tail;
      if (field) side.push(encodeFieldHeader(id, previous, field.type), field.bytes);
    }
  }
  tail.push([THRIFT_TYPE.stop]);
  const length = [...head, ...tail].reduce((sum, part) => sum + part.length, groups.sizeBytes - MAGIC.length);
  const trailer = new Uint8Array(4);
  new DataView(trailer.buffer).setUint32(0, length, true);
  const joined = (parts: typeof head) => Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  return { head: joined(head), tail: joined([...tail, trailer, MAGIC]) };
}

function readList<T>(cursor: ThriftCursor, read: (cursor: ThriftCursor) => T): T[] {
  const { size } = cursor.list();
  return Array.from({ length: size }, () => read(cursor));
}

function readRowGroup(cursor: ThriftCursor): { rows: number; bytes: Uint8Array } {
  const start = cursor.position;
  let rows = 0;
  for (let field = cursor.field(0); field; field = cursor.field(field.id)) {
    if (field.id === ROW_GROUP.rows) rows = cursor.integer();
    else cursor.skip(field.type);
  }
  return { rows, bytes: cursor.bytes.subarray(start, cursor.position) };
}

function readKeyValue(cursor: ThriftCursor): [string, string] {
  let [key, value] = ['', ''];
  for (let field = cursor.field(0); field; field = cursor.field(field.id)) {
    if (field.id === KEY_VALUE.key) key = cursor.text();
    else if (field.id === KEY_VALUE.value) value = cursor.text();
    else cursor.skip(field.type);
  }
  return [key, value];
}

/** A row group whose every column chunk says in which file its data are. */
function withFilePath(rowGroup: Uint8Array, path: string): Uint8Array {
  const text = new TextEncoder().encode(path);
  const cursor = new ThriftCursor(rowGroup);
  const pieces: Uint8Array[] = [];
  let copied = 0;
  for (let field = cursor.field(0); field; field = cursor.field(field.id)) {
    if (field.id !== ROW_GROUP.columns) {
      cursor.skip(field.type);
      continue;
    }
    const { size } = cursor.list();
    for (let column = 0; column < size; column++) {
      const chunkStart = cursor.position;
      const first = cursor.field(0);
      if (!first || first.id === CHUNK.filePath) throw new RangeError('a column chunk already names a file');
      const inserted = [
        ...encodeFieldHeader(CHUNK.filePath, 0, THRIFT_CONTAINER.binary),
        ...encodeVarint(text.length),
        ...text,
        ...encodeFieldHeader(first.id, CHUNK.filePath, first.type),
      ];
      pieces.push(rowGroup.subarray(copied, chunkStart), Uint8Array.from(inserted));
      copied = cursor.position;
      cursor.skip(first.type);
      for (let rest = cursor.field(first.id); rest; rest = cursor.field(rest.id)) cursor.skip(rest.type);
    }
  }
  pieces.push(rowGroup.subarray(copied));
  return Buffer.concat(pieces);
}
