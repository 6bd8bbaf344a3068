import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { openDestinationAt, refusalOf } from '#adapters/destination-access.ts';
import { BucketSource } from '#adapters/file-source.ts';
import { readCampaign } from '#core/campaign-book.ts';
import { readDocument } from '#core/documents.ts';
import { InvariantError } from '#core/errors.ts';
import { furtherOrderSchema, goOnDelivering, readFurther, standingDelivery } from '#core/further-delivery.ts';
import { manifestSchema } from '#core/hats/manifest.ts';
import { handler as stack } from '#functions/handler.ts';

/** Of the 15 minutes that it may take: the rest is for what is under way to end, and for the record of it. */
const STEP_MS = 13 * 60 * 1000;

const access = { secrets: new SecretsManagerClient({}), sts: new STSClient({}) };

/** One step of a delivery to a further destination; the state machine calls it until it is finished. */
export const handler = stack(furtherOrderSchema, async (order, { table, lake, clock, log }) => {
  const signal = AbortSignal.timeout(STEP_MS);
  const further = await readFurther(table, order);
  const delivered = await standingDelivery(table, order.delivery);
  const { catalogue } = await readCampaign(table, further.campaign);
  if (catalogue?.manifest.sha256 !== delivered.manifest.sha256) {
    throw new InvariantError(`the campaign ${further.campaign} has another catalogue than ${order.delivery}`, {
      code: 'MANIFEST_OF_ANOTHER',
      hint: 'The campaign made another table since; deliver that one.',
    });
  }
  const manifest = await readDocument(lake, catalogue.manifest, manifestSchema);
  const source = new BucketSource(lake, `${catalogue.prefix}/files/`);
  const to = await openDestinationAt(further.place, access, source, signal);
  const going = goOnDelivering(table, { further, delivered, manifest }, to, { clock, signal });
  const finished = await going.catch((error: unknown) => {
    throw refusalOf(error, further.place) ?? error;
  });
  log.info(finished ? 'Delivery:Finished' : 'Delivery:GoesOn', { ...order });
  return { ...order, finished };
});
