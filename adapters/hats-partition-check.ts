import { type LocalFile, withFiles } from '#adapters/collection-source.ts';
import type { Database } from '#adapters/duckdb.ts';
import { attempt, engineSays, PartitionQueries } from '#adapters/hats-partition-queries.ts';
import {
  checkIndex,
  checkMargin,
  checkPosterior,
  givenRows,
  gridOf,
  type Surroundings,
  sampleMargin,
} from '#adapters/hats-parts-check.ts';
import { checkLeafRows, idRunsOf, shapeOfLeaf } from '#adapters/hats-row-check.ts';
import { readFirstRow, rowDigest } from '#adapters/hats-thumbnail.ts';
import { readFooter } from '#adapters/parquet-footer.ts';
import { sha256 } from '#core/digest.ts';
import { type PhotozColumn, photozColumns, posteriorColumns, type TableShape } from '#core/hats/columns.ts';
import { type Footer, metadataOfLeaf, schemaDigest } from '#core/hats/footer.ts';
import { PART_KINDS, type PartKind, partLeafPath, pathInDataset } from '#core/hats/parts.ts';
import { Findings } from '#core/hats/verdict.ts';
import { type FileRecord, noFindings, type PartitionLook, type PartitionRecord } from '#core/hats/verification.ts';
import type { Pixel } from '#core/healpix.ts';

type Files = ReadonlyMap<PartKind, LocalFile>;
type Footers = ReadonlyMap<PartKind, Footer>;

/**
 * Looks at all that a collection holds for one partition: digests, frames, every row, and what margin, index and p(z)
 * have to do with the leaf. Needs the files of this partition alone (of a sampled one also its neighbours' leaves, one
 * after the other), so disk, memory and time are bounded by the partition's rows. Gives the same again.
 *
 * What is wrong is in the record; rejects only when something could not be looked at.
 */
export async function lookAtPartition(
  surroundings: Surroundings,
  look: PartitionLook,
  database: Database,
): Promise<PartitionRecord> {
  const { source, outline } = surroundings;
  const wanted = PART_KINDS.flatMap((kind) => {
    const file = look.files[kind];
    return file ? [{ name: kind, path: pathOf(outline.folders, kind, look), expected: file.sha256 }] : [];
  });
  return await withFiles(source, wanted, async (files) => {
    const records: PartitionRecord['files'] = {};
    const footers = new Map<PartKind, Footer>();
    for (const [kind, file] of files) {
      const { record, footer } = await readFile(file, kind, look);
      records[kind] = { ...record, sizeBytes: look.files[kind]?.sizeBytes ?? record.sizeBytes };
      if (footer) footers.set(kind, footer);
    }
    const rows = await checkRows(database, surroundings, look, files, footers);
    return { version: 1, order: look.order, pixel: look.pixel, files: records, ...rows };
  });
}

const pathOf = (folders: Surroundings['outline']['folders'], kind: PartKind, pixel: Pixel) =>
  `${folders[kind]}/${partLeafPath(kind, pixel)}`;

async function readFile(
  file: LocalFile,
  kind: PartKind,
  pixel: Pixel,
): Promise<{ readonly record: FileRecord; readonly footer: Footer | null }> {
  const digest = await file.digest();
  const reading = await readFooter(file.path);
  const defect = (detail: string) => ({
    record: { sizeBytes: 0, sha256: digest, footer: { defect: detail } },
    footer: null,
  });
  if (reading.kind === 'defect') return defect(reading.detail);
  const { footer, sizeBytes } = reading;
  try {
    const added = metadataOfLeaf(footer, pathInDataset(kind, pixel));
    const metadata = { sizeBytes: added.length, sha256: sha256(added) };
    const { rows, rowGroups } = footer;
    const said = { schema: schemaDigest(footer), rows, rowGroups: rowGroups.length, metadata };
    return { record: { sizeBytes, sha256: digest, footer: said }, footer };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return defect(error.message);
  }
}

type Rows = Pick<
  PartitionRecord,
  'readable' | 'counts' | 'firstRows' | 'idRuns' | 'given' | 'held' | 'findings' | 'suppressed'
>;

async function checkRows(
  database: Database,
  surroundings: Surroundings,
  look: PartitionLook,
  files: Files,
  footers: Footers,
): Promise<Rows> {
  const { folders, mapOrder } = surroundings.outline;
  const found = noFindings();
  const collectors = PART_KINDS.map((kind) => [kind, new Findings()] as const);
  const asks = new Map(
    collectors.map(([kind, findings]) => [kind, new PartitionQueries(database, pathOf(folders, kind, look), findings)]),
  );
  const done = (rows: Omit<Rows, 'findings' | 'suppressed'>): Rows => {
    for (const [kind, findings] of collectors) found[kind] = findings.kept;
    const suppressed = collectors.reduce((sum, [, findings]) => sum + findings.suppressed, 0);
    return { ...rows, findings: found, suppressed };
  };
  const unreadable = { readable: false, counts: [], firstRows: {}, idRuns: [], given: [], held: [] };
  const [leaf, footer, ask] = [files.get('object'), footers.get('object'), asks.get('object')];
  if (!leaf || !footer || !ask) return done(unreadable);
  const columns = await shapeOfLeaf(database, leaf.path);
  if (typeof columns === 'string') {
    ask.findings.add('LEAF_UNREADABLE', ask.where, engineSays(columns));
    return done(unreadable);
  }
  // Which columns are the right ones, the last step sees, which knows those of most leaves.
  const { shape } = columns;
  if (shape === null) return done(unreadable);
  const { order, pixel } = look;
  const counts = await checkLeafRows(ask, leaf.path, { order, pixel, rows: footer.rows }, shape, mapOrder ?? 0);
  if (counts === null) return done(unreadable);
  const idRuns = await idRunsOf(ask, leaf.path, footer.rows);
  const posterior = footers.has('posterior') ? files.get('posterior') : undefined;
  const firstRows = {
    ...(await firstRowOf(database, 'object', leaf.path, photozColumns(shape))),
    ...(posterior && (await firstRowOf(database, 'posterior', posterior.path, posteriorColumns(shape)))),
  };
  const given = await givenRows(ask, leaf.path, look, shape, surroundings);
  const held = await checkParts(asks, surroundings, look, { files, footers, leaf: leaf.path, shape });
  return done({ readable: true, counts, firstRows, idRuns, given, held });
}

/** Of a file that cannot be read there is none: that is found where its rows are looked at. */
async function firstRowOf(
  database: Database,
  kind: 'object' | 'posterior',
  path: string,
  columns: readonly PhotozColumn[],
) {
  const row = await attempt(readFirstRow(database, path, columns));
  return typeof row === 'string' ? {} : { [kind]: rowDigest(row) };
}

async function checkParts(
  asks: ReadonlyMap<PartKind, PartitionQueries>,
  surroundings: Surroundings,
  look: PartitionLook,
  own: { readonly files: Files; readonly footers: Footers; readonly leaf: string; readonly shape: TableShape },
): Promise<PartitionRecord['held']> {
  const { files, footers, leaf, shape } = own;
  const partOf = (kind: PartKind) => {
    const [file, footer, ask] = [files.get(kind), footers.get(kind), asks.get(kind)];
    return file && footer && ask ? { path: file.path, footer, ask } : null;
  };
  const [margin, index, posterior] = [partOf('margin'), partOf('index'), partOf('posterior')];
  const held = margin ? await checkMargin(margin.ask, margin.path, look, shape, surroundings) : [];
  const ask = asks.get('margin');
  if (look.sampled && ask) await sampleMargin(ask, margin?.path ?? null, look, shape, surroundings);
  if (index) await checkIndex(index.ask, index.path, leaf, look);
  if (posterior) {
    await checkPosterior(posterior.ask, posterior.path, leaf, shape, gridOf(posterior.footer.keyValues));
  }
  return held;
}
