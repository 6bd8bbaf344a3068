import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FinishedCatalogue, finishCatalogue } from '#adapters/hats-finisher.ts';
import type { LeafTail } from '#adapters/hats-leaf-tails.ts';
import { writeManifest } from '#adapters/hats-manifest.ts';
import { setCatalogue } from '#core/campaign-book.ts';
import { sha256 } from '#core/digest.ts';
import { findDocument, readDocument } from '#core/documents.ts';
import { COLUMNS_DIGEST } from '#core/hats/columns.ts';
import { felisYaml } from '#core/hats/felis.ts';
import { ingestManifest } from '#core/hats/ingest-manifest.ts';
import { FELIS_SCHEMA, INGEST_MANIFEST, inSkyOrder, MANIFEST } from '#core/hats/layout.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';
import { PART_KINDS, type PartKind } from '#core/hats/parts.ts';
import type { Pixel } from '#core/healpix.ts';
import { inOrder } from '#core/in-order.ts';
import type { ObjectRef } from '#core/job.ts';
import {
  catalogueOrderSchema,
  filesPrefix,
  type PackedPartition,
  type PackingPlan,
  packedPartitionSchema,
  packingPlanSchema,
  planFolders,
  planShape,
  recordPrefix,
} from '#core/partition-task.ts';
import { COUNT_ORDER } from '#core/recipe.ts';
import { writePacket } from '#functions/finish-packet.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import type { Services } from '#functions/services.ts';

/** Writes all of the collection but its leaves, from their footers; the manifest, which lists every digest, last. */
export const handler = stack(catalogueOrderSchema, ({ campaign, plan: planRef }, services) =>
  withScratch(async (folder) => {
    const { table, lake, log } = services;
    const plan = await readDocument(lake, planRef, packingPlanSchema);
    const packed = await readRecords(plan, services);
    const folders = planFolders(plan);
    const tails = <T extends { readonly path: string; readonly tailBytes: number }>(kind: PartKind, files: T[]) =>
      partTails(plan, kind, files, services);
    const finished = await finishCatalogue({
      folder,
      collection: plan.name,
      catalogue: folders.object,
      shape: planShape(plan),
      leaves: tails(
        'object',
        packed.map((each) => inPixel(each, each.object)),
      ),
      parts: {
        folders,
        marginArcsec: plan.marginArcsec,
        margin: tails(
          'margin',
          packed.flatMap((each) => (each.margin ? [inPixel(each, each.margin)] : [])),
        ),
        index: tails(
          'index',
          packed.map((each) => inPixel(each, each.index)),
        ),
        posterior: tails(
          'posterior',
          packed.map((each) => inPixel(each, each.posterior)),
        ),
      },
      counts: { order: COUNT_ORDER, counts: plan.counts },
      provenance: { title: plan.title, description: describe(plan), createdAt: plan.createdAt },
    });
    const known = packedFiles(plan, packed);
    const small = [...finished.files, ...(await writeDatabaseFiles(plan, packed, folder))];
    const counts = { rows: finished.rows, partitions: finished.leaves };
    const files = [...small, ...(await writePacket(plan, [...known, ...small], counts, folder, services))];
    for (const file of files) {
      await lake.putFile(`${filesPrefix(plan)}${file.path}`, join(folder, file.path), file.sha256);
    }
    const manifest = await putManifest(plan, known, { ...finished, files }, folder, services);
    await setCatalogue(table, campaign, {
      name: plan.name,
      prefix: plan.prefix,
      manifest,
      rows: finished.rows,
      partitions: finished.leaves,
      columns: COLUMNS_DIGEST,
    });
    log.info('Catalogue:Finished', { campaign, rows: finished.rows, partitions: finished.leaves });
    return { rows: finished.rows, partitions: finished.leaves };
  }),
);

const describe = (plan: PackingPlan) =>
  `Photometric redshifts of ${plan.release} by ${plan.algorithms.join(', ')}; made by the campaign ${plan.campaign}.`;

/** What TAP_SCHEMA and database sites are loaded from. */
async function writeDatabaseFiles(plan: PackingPlan, packed: readonly PackedPartition[], folder: string) {
  const shape = planShape(plan);
  const { object } = planFolders(plan);
  const database = `${plan.release.replaceAll(/[^a-z0-9_]/g, '_')}_photoz`;
  const facts = { schema: database, table: plan.name, description: plan.title, version: plan.campaign };
  const leaves = packed.toSorted(inSkyOrder).map(({ order, pixel, object: { path, ...leaf } }) => ({
    ...leaf,
    order,
    pixel,
    path: `${object}/${path}`,
  }));
  const texts = {
    [FELIS_SCHEMA]: felisYaml(facts, shape),
    [INGEST_MANIFEST]: ingestManifest({ database, table: plan.name }, shape, leaves),
  };
  const written: ManifestFile[] = [];
  for (const [path, text] of Object.entries(texts)) {
    await writeFile(join(folder, path), text);
    written.push({ path, sha256: sha256(text), sizeBytes: Buffer.byteLength(text) });
  }
  return written;
}

/**
 * Small objects asked for at a time: 40,000 partitions have five each, an hour of 20 ms one after the other, and a
 * function lives 15 minutes.
 */
const AT_ONCE = 32;

async function readRecords(plan: PackingPlan, { lake }: Services): Promise<readonly PackedPartition[]> {
  const records: PackedPartition[] = [];
  const read = ({ key }: { readonly key: string }) => findDocument(lake, key, packedPartitionSchema);
  for await (const record of inOrder(lake.list(recordPrefix(plan)), AT_ONCE, read)) {
    if (record) records.push(record);
  }
  return records;
}

function partTails<T extends { readonly path: string; readonly tailBytes: number }>(
  plan: PackingPlan,
  kind: PartKind,
  files: readonly T[],
  { lake }: Services,
): AsyncGenerator<T & Pick<LeafTail, 'tail'>> {
  const folder = `${filesPrefix(plan)}${planFolders(plan)[kind]}/`;
  return inOrder(files, AT_ONCE, async (file) => ({
    ...file,
    tail: await lake.getTail(`${folder}${file.path}`, file.tailBytes),
  }));
}

const inPixel = <T>({ order, pixel }: Pixel, file: T) => ({ ...file, order, pixel });

function packedFiles(plan: PackingPlan, records: readonly PackedPartition[]): readonly ManifestFile[] {
  const folders = planFolders(plan);
  return PART_KINDS.flatMap((kind) =>
    records.flatMap(({ [kind]: file }): ManifestFile[] =>
      file ? [{ path: `${folders[kind]}/${file.path}`, sha256: file.sha256, sizeBytes: file.sizeBytes }] : [],
    ),
  );
}

async function putManifest(
  plan: PackingPlan,
  packed: readonly ManifestFile[],
  finished: Pick<FinishedCatalogue, 'rows' | 'files'>,
  folder: string,
  { lake }: Services,
): Promise<ObjectRef> {
  const written = await writeManifest(folder, {
    collection: plan.name,
    rows: finished.rows,
    about: { release: plan.release, campaign: plan.campaign, algorithms: plan.algorithms.join(' ') },
    known: [...packed, ...finished.files],
  });
  return lake.putFile(`${filesPrefix(plan)}${MANIFEST}`, join(folder, MANIFEST), written.sha256);
}
