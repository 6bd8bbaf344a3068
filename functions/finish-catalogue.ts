import { join } from 'node:path';
import { type FinishedCatalogue, finishCatalogue, type LeafTail } from '#adapters/hats-finisher.ts';
import { writeManifest } from '#adapters/hats-manifest.ts';
import { setCatalogue } from '#core/campaign-book.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';
import type { ObjectRef } from '#core/job.ts';
import {
  catalogueFolder,
  catalogueOrderSchema,
  filesPrefix,
  type PackedLeafRecord,
  type PackingPlan,
  packedLeafSchema,
  packingPlanSchema,
  recordPrefix,
} from '#core/partition-task.ts';
import { COUNT_ORDER } from '#core/recipe.ts';
import { readDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import type { Services } from '#functions/services.ts';

/** Writes all of the collection but its leaves, from their footers; the manifest, which lists every digest, last. */
export const handler = stack(catalogueOrderSchema, ({ campaign, plan: planRef }, services) =>
  withScratch(async (folder) => {
    const { table, lake, log } = services;
    const plan = await readDocument(lake, planRef, packingPlanSchema);
    const leaves = await readRecords(plan, services);
    const finished = await finishCatalogue({
      folder,
      collection: plan.name,
      catalogue: catalogueFolder(plan),
      shape: { coordinates: plan.coordinates, algorithms: plan.algorithms },
      leaves: leafTails(plan, leaves, services),
      counts: { order: COUNT_ORDER, counts: plan.counts },
      provenance: { title: plan.title, description: describe(plan), createdAt: plan.createdAt },
    });
    for (const file of finished.files) {
      await lake.putFile(`${filesPrefix(plan)}${file.path}`, join(folder, file.path), file.sha256);
    }
    const manifest = await putManifest(plan, leaves, finished, folder, services);
    await setCatalogue(table, campaign, {
      name: plan.name,
      prefix: plan.prefix,
      manifest,
      rows: finished.rows,
      partitions: finished.leaves,
    });
    log.info('Catalogue:Finished', { campaign, rows: finished.rows, partitions: finished.leaves });
    return { rows: finished.rows, partitions: finished.leaves };
  }),
);

const describe = (plan: PackingPlan) =>
  `Photometric redshifts of ${plan.release} by ${plan.algorithms.join(', ')}; made by the campaign ${plan.campaign}.`;

async function readRecords(plan: PackingPlan, { lake }: Services): Promise<readonly PackedLeafRecord[]> {
  const records: PackedLeafRecord[] = [];
  for await (const { key } of lake.list(recordPrefix(plan))) {
    const bytes = await lake.getBytes(key);
    if (bytes) records.push(packedLeafSchema.parse(JSON.parse(new TextDecoder().decode(bytes))));
  }
  return records;
}

async function* leafTails(
  plan: PackingPlan,
  leaves: readonly PackedLeafRecord[],
  { lake }: Services,
): AsyncGenerator<LeafTail> {
  for (const { order, pixel, path, sizeBytes, tailBytes } of leaves) {
    const tail = await lake.getTail(`${filesPrefix(plan)}${catalogueFolder(plan)}/${path}`, tailBytes);
    yield { order, pixel, sizeBytes, tail };
  }
}

async function putManifest(
  plan: PackingPlan,
  leaves: readonly PackedLeafRecord[],
  finished: FinishedCatalogue,
  folder: string,
  { lake }: Services,
): Promise<ObjectRef> {
  const packed: ManifestFile[] = leaves.map(({ path, sha256, sizeBytes }) => ({
    path: `${catalogueFolder(plan)}/${path}`,
    sha256,
    sizeBytes,
  }));
  const { sha256 } = await writeManifest(folder, {
    collection: plan.name,
    rows: finished.rows,
    about: { release: plan.release, campaign: plan.campaign, algorithms: plan.algorithms.join(' ') },
    known: [...packed, ...finished.files],
  });
  return lake.putFile(`${filesPrefix(plan)}${MANIFEST}`, join(folder, MANIFEST), sha256);
}
