import { enterStage, moveChunks, readCampaign } from '#core/campaign-book.ts';
import {
  deliveryKey,
  deliveryName,
  deliveryPrefix,
  deliveryRowSchema,
  markerKey,
  markerOf,
  type NewDelivery,
} from '#core/delivery.ts';
import { InputError, InvariantError, TransientError } from '#core/errors.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { type ManifestFile, manifestSchema } from '#core/hats/manifest.ts';
import { catalogueOrderSchema, filesPrefix, packingPlanSchema } from '#core/partition-task.ts';
import { holds } from '#core/ports.ts';
import { readDocument, writeDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';
import type { Services } from '#functions/services.ts';

/**
 * Copies the verified collection to the delivery bucket under a name of its own, checks each copy by the receiving
 * side's checksum, and only then moves the public marker. Interrupted, it goes on where it was.
 */
export const handler = stack(catalogueOrderSchema, async ({ campaign, plan: planRef }, services) => {
  const { table, lake, delivery, clock, log } = services;
  const plan = await readDocument(lake, planRef, packingPlanSchema);
  const { catalogue, release } = await readCampaign(table, campaign);
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
  for (const file of all) await copyChecked(file, filesPrefix(plan), prefix, services);

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
  return { delivery: name };
});

/** What was taken back does not come back by itself, for instance when this step is run again. */
async function refuseWithdrawn(name: string, { table }: Services): Promise<void> {
  const found = await table.get(deliveryKey(name));
  const withdrawn = found ? deliveryRowSchema.parse(found).withdrawn : null;
  if (withdrawn === null) return;
  throw new InputError(`the delivery ${name} was withdrawn: ${withdrawn.because}`, {
    code: 'DELIVERY_WITHDRAWN',
    hint: 'Correct what was wrong and start a campaign that makes another table.',
  });
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
