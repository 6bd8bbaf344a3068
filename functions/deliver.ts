import { enterStage, moveChunks, readCampaign } from '#core/campaign-book.ts';
import { deliveryKey, deliveryName, deliveryPrefix, markerKey, markerOf, type NewDelivery } from '#core/delivery.ts';
import { eachOf } from '#core/destination.ts';
import { readDocument, writeDocument } from '#core/documents.ts';
import { InvariantError, TransientError } from '#core/errors.ts';
import { type FurtherOrder, furtherExecutionName, openFurther, standingDelivery } from '#core/further-delivery.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { type ManifestFile, manifestSchema } from '#core/hats/manifest.ts';
import { catalogueOrderSchema, filesPrefix, packingPlanSchema } from '#core/partition-task.ts';
import { holds, startOrRetry } from '#core/ports.ts';
import { handler as stack } from '#functions/handler.ts';
import type { Services } from '#functions/services.ts';

/** Of the 15 minutes that it may take; the machine calls it again until it is finished. */
const STEP_MS = 13 * 60 * 1000;
/** Copies inside the service at a time. */
const PARALLEL_FILES = 16;

/**
 * Copies the verified collection to the delivery bucket under a name of its own, checks each copy by the receiving
 * side's checksum, and only then moves the public marker. Interrupted, or out of time, it goes on where it was. Once
 * the table is public here, it starts its way to each further destination: none of them is waited for.
 */
export const handler = stack(catalogueOrderSchema, async ({ campaign, plan: planRef }, services) => {
  const signal = AbortSignal.timeout(STEP_MS);
  const { table, lake, delivery, deliveryMachine, clock, log } = services;
  const plan = await readDocument(lake, planRef, packingPlanSchema);
  const { catalogue, release, destinations = [] } = await readCampaign(table, campaign);
  if (!catalogue) {
    throw new InvariantError(`the campaign ${campaign} has no catalogue`, {
      code: 'STAGE_INCOMPLETE',
      hint: 'Look at the campaign with ponte campaign watch.',
    });
  }
  await moveChunks(table, release, 'pack');
  await enterStage(table, campaign, 'delivering', clock.now());
  const { files } = await readDocument(lake, catalogue.manifest, manifestSchema);
  const name = deliveryName(plan.name, catalogue.manifest.sha256);
  await refuseWithdrawn(name, services);
  const prefix = deliveryPrefix(plan.name, name);
  const { sha256, sizeBytes } = catalogue.manifest;
  const all = [...files, { path: MANIFEST, sha256, sizeBytes }];
  await eachOf(all, PARALLEL_FILES, async (file) => {
    if (!signal.aborted) await copyChecked(file, filesPrefix(plan), prefix, services);
  });
  if (signal.aborted) return { finished: false };

  const row: NewDelivery = {
    delivery: name,
    collection: plan.name,
    release,
    campaign,
    bucket: delivery.bucket,
    prefix,
    manifest: { key: `${prefix}/${MANIFEST}`, sha256, sizeBytes },
    rows: catalogue.rows,
    files: all.length,
    sizeBytes: all.reduce((sum, file) => sum + file.sizeBytes, 0),
    deliveredAt: clock.now().toISOString(),
  };
  await writeDocument(delivery, markerKey(plan.name), markerOf(row));
  await table.write([{ kind: 'put', item: { ...deliveryKey(name), ...row } }]);
  await moveChunks(table, release, 'deliver');
  await enterStage(table, campaign, 'delivered', clock.now());
  log.info('Catalogue:Delivered', { campaign, delivery: name, rows: row.rows, files: row.files });
  for (const place of destinations) {
    const order: FurtherOrder = { delivery: name, destination: place.name };
    await openFurther(table, row, place, clock.now());
    await startOrRetry(deliveryMachine, furtherExecutionName(order), () => order);
  }
  return { finished: true };
});

/** What was taken back does not come back by itself, for instance when this step is run again. */
async function refuseWithdrawn(name: string, { table }: Services): Promise<void> {
  if (await table.get(deliveryKey(name))) await standingDelivery(table, name);
}

async function copyChecked(
  file: ManifestFile,
  from: string,
  prefix: string,
  { lake, delivery }: Services,
): Promise<void> {
  const key = `${prefix}/${file.path}`;
  if (holds(await delivery.head(key), file)) return;
  await delivery.copyFrom(lake, `${from}${file.path}`, key);
  if (holds(await delivery.head(key), file)) return;
  throw new TransientError(`the copy of ${file.path} is not the original`, {
    code: 'COPY_DAMAGED',
    hint: 'It is copied again; the public marker still points to the previous version.',
  });
}
