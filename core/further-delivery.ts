import { z } from 'zod';
import { DELIVERIES, type DeliveryRow, deliveryKey, deliveryRowSchema } from '#core/delivery.ts';
import { type Destination, deliverVersion } from '#core/destination.ts';
import { digestOf } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { type FurtherDestination, furtherDestinationSchema } from '#core/further-destination.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import type { Manifest } from '#core/hats/manifest.ts';
import type { Clock } from '#core/ports.ts';
import { equals, type Key, ROW_EXISTS, ROW_IS_NEW, scan, type Table } from '#core/table.ts';

/** A delivery at one further destination, from the moment on that it is due. */
const furtherDeliverySchema = z.object({
  delivery: z.string(),
  destination: z.string(),
  campaign: z.string(),
  place: furtherDestinationSchema,
  state: z.enum(['delivering', 'delivered', 'failed']),
  /** Files of the manifest, from its first on, that are there: the next call begins after them. */
  checkedFiles: z.int(),
  files: z.int(),
  /** When this try began; a failed one that is asked for again begins anew. */
  startedAt: z.string(),
  deliveredAt: z.string().nullable(),
  failure: z.string().nullable(),
});
export type FurtherDelivery = z.infer<typeof furtherDeliverySchema>;

const prefixOf = (delivery: string) => `F#${delivery}#`;
const keyOf = (delivery: string, destination: string): Key => ({
  pk: DELIVERIES,
  sk: `${prefixOf(delivery)}${destination}`,
});

/** What one step of a delivery is about: small, it only points. */
export const furtherOrderSchema = z.object({ delivery: z.string(), destination: z.string() });
export type FurtherOrder = z.infer<typeof furtherOrderSchema>;

/** Of the state machine's execution; a numbered retry of it ends within the 80 characters that a name may have. */
export function furtherExecutionName({ delivery, destination }: FurtherOrder): string {
  return `${destination}-${digestOf('further-delivery', { delivery, destination }).slice(0, 20)}`;
}

/**
 * After this many days it is given up. It is also what bounds the execution's history, which holds 25,000 events: a
 * step of 13 minutes leaves 7.
 */
const MOST_DAYS = 14;
const DAY_MS = 24 * 3600 * 1000;
/** Files at a time. */
const PARALLEL_FILES = 4;
/** Between two records of how far it is, so that a kill costs no more than a second look at so much. */
const RECORD_EVERY_MS = 10_000;

/** Makes a delivery due at a destination; one that failed begins anew from where it was, one that is there stays. */
export async function openFurther(
  table: Table,
  { delivery, campaign, files }: Pick<DeliveryRow, 'delivery' | 'campaign' | 'files'>,
  place: FurtherDestination,
  now: Date,
): Promise<void> {
  const key = keyOf(delivery, place.name);
  const fresh = { state: 'delivering', startedAt: now.toISOString(), failure: null } as const;
  const row: FurtherDelivery = {
    ...{ delivery, destination: place.name, campaign, place, files, checkedFiles: 0, deliveredAt: null },
    ...fresh,
  };
  await table.write([{ kind: 'put', item: { ...key, ...row }, when: [ROW_IS_NEW] }]);
  await table.write([{ kind: 'update', key, set: fresh, when: [equals('state', 'failed')] }]);
}

/** @throws {InputError} `DESTINATION_UNKNOWN` when the delivery is not due there. */
export async function readFurther(table: Table, { delivery, destination }: FurtherOrder): Promise<FurtherDelivery> {
  const row = await table.get(keyOf(delivery, destination));
  if (row) return furtherDeliverySchema.parse(row);
  throw new InputError(`the delivery ${delivery} has no further destination ${destination}`, {
    code: 'DESTINATION_UNKNOWN',
    hint: '`ponte deliveries` lists each delivery with its destinations.',
  });
}

export async function furtherDeliveriesOf(table: Table, delivery: string): Promise<readonly FurtherDelivery[]> {
  const rows: FurtherDelivery[] = [];
  for await (const row of scan(table, DELIVERIES, prefixOf(delivery))) rows.push(furtherDeliverySchema.parse(row));
  return rows;
}

/** One that is there by now stays so. */
export const failFurther = (table: Table, { delivery, destination }: FurtherOrder, failure: string) =>
  table.write([
    {
      kind: 'update',
      key: keyOf(delivery, destination),
      set: { state: 'failed', failure },
      when: [ROW_EXISTS, equals('state', 'delivering')],
    },
  ]);

/**
 * The delivery that is to go further: one that stands.
 * @throws {InputError} `DELIVERY_UNKNOWN`, `DELIVERY_WITHDRAWN`.
 */
export async function standingDelivery(table: Table, delivery: string): Promise<DeliveryRow> {
  const found = await table.get(deliveryKey(delivery));
  if (!found) {
    throw new InputError(`there is no delivery ${delivery}`, {
      code: 'DELIVERY_UNKNOWN',
      hint: '`ponte deliveries` lists them.',
    });
  }
  const row = deliveryRowSchema.parse(found);
  if (row.withdrawn === null) return row;
  throw new InputError(`the delivery ${delivery} was withdrawn: ${row.withdrawn.because}`, {
    code: 'DELIVERY_WITHDRAWN',
    hint: 'Correct what was wrong and start a campaign that makes another table.',
  });
}

/**
 * Goes on with a delivery at one destination, until it is public there or the signal says that time is up. May be killed
 * anywhere and called again. The marker is the one of the stack's own bucket, so the places agree to the byte.
 *
 * @returns whether it is public there now.
 * @throws {InputError} `DELIVERY_TOO_SLOW` after fourteen days; `DELIVERY_WITHDRAWN`; whatever the destination throws.
 */
export async function goOnDelivering(
  table: Table,
  { further, delivered, manifest }: { further: FurtherDelivery; delivered: DeliveryRow; manifest: Manifest },
  to: Destination,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  if (further.state === 'delivered') return true;
  if (clock.now().getTime() - Date.parse(further.startedAt) > MOST_DAYS * DAY_MS) {
    throw new InputError(`${further.destination} did not take the whole delivery within ${MOST_DAYS} days`, {
      code: 'DELIVERY_TOO_SLOW',
      hint: 'Raise its bandwidth limit or look at its service; ponte redeliver goes on where it was.',
    });
  }
  const key = keyOf(further.delivery, further.destination);
  let { checkedFiles } = further;
  let recordedAt = clock.now().getTime();
  const record = async (checked: number) => {
    if (checked <= checkedFiles) return;
    checkedFiles = checked;
    await table.write([{ kind: 'update', key, set: { checkedFiles }, when: [ROW_EXISTS] }]);
  };
  let reached = checkedFiles;
  try {
    const { sha256, sizeBytes } = delivered.manifest;
    const { release, campaign, deliveredAt: publishedAt } = delivered;
    const manifestFile = { path: MANIFEST, sha256, sizeBytes };
    await deliverVersion(
      to,
      { manifest, manifestFile, release, campaign, publishedAt },
      {
        parallel: PARALLEL_FILES,
        checkedFiles,
        signal,
        onChecked: async (files) => {
          reached = files;
          const now = clock.now().getTime();
          if (now - recordedAt < RECORD_EVERY_MS) return;
          recordedAt = now;
          await record(files);
        },
      },
    );
  } catch (error) {
    await record(reached);
    if (signal.aborted) return false;
    throw error;
  }
  const done = { state: 'delivered', checkedFiles: further.files, deliveredAt: clock.now().toISOString() };
  await table.write([{ kind: 'update', key, set: { ...done, failure: null }, when: [ROW_EXISTS] }]);
  return true;
}
