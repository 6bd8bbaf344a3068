import {
  DELIVERIES,
  DELIVERY_PREFIX,
  type DeliveryRow,
  deliveryKey,
  deliveryRowSchema,
  markerKey,
  markerOf,
  publishedMarkerSchema,
  type Tombstone,
  tombstoneKey,
  type Withdrawal,
} from '#core/delivery.ts';
import { InputError } from '#core/errors.ts';
import type { ObjectStore } from '#core/ports.ts';
import { equals, scan, type Table } from '#core/table.ts';

export interface Withdrawn {
  readonly delivery: string;
  readonly withdrawn: Withdrawal;
  /** What is public now; null when nothing is left. */
  readonly published: string | null;
}

/**
 * Takes a delivery back: its record and a tombstone beside its files say so, with the reason, and the public name
 * points to the newest version that stands, or to the tombstone. No file of it is removed, so whoever holds a copy can
 * still compare. The first withdrawal stands; repeating it finishes what was interrupted.
 *
 * @throws {InputError} `DELIVERY_UNKNOWN`.
 */
export async function withdrawDelivery(
  table: Table,
  store: Pick<ObjectStore, 'getBytes' | 'putBytes'>,
  delivery: string,
  withdrawal: Withdrawal,
): Promise<Withdrawn> {
  await table.write([
    {
      kind: 'update',
      key: deliveryKey(delivery),
      set: { withdrawn: { ...withdrawal } },
      when: [equals('delivery', delivery), { kind: 'absent', attribute: 'withdrawn' }],
    },
  ]);
  const found = await table.get(deliveryKey(delivery));
  const row = found ? deliveryRowSchema.parse(found) : null;
  if (row === null || row.withdrawn === null) {
    throw new InputError(`there is no delivery ${delivery}`, {
      code: 'DELIVERY_UNKNOWN',
      hint: '`ponte deliveries` lists them.',
    });
  }
  const { collection, withdrawn } = row;
  const tombstone: Tombstone = { version: 1, collection, delivery, withdrawn };
  await put(store, tombstoneKey(row), tombstone);
  const marker = publishedMarkerSchema.safeParse(await read(store, markerKey(collection)));
  const standing = await newestStanding(table, collection);
  if (marker.success && marker.data.prefix === row.prefix) {
    await put(store, markerKey(collection), standing ? markerOf(standing) : tombstone);
  }
  return { delivery, withdrawn, published: standing?.delivery ?? null };
}

async function newestStanding(table: Table, collection: string): Promise<DeliveryRow | null> {
  let newest: DeliveryRow | null = null;
  for await (const item of scan(table, DELIVERIES, DELIVERY_PREFIX)) {
    const row = deliveryRowSchema.parse(item);
    if (row.collection !== collection || row.withdrawn !== null) continue;
    if (newest === null || row.deliveredAt > newest.deliveredAt) newest = row;
  }
  return newest;
}

async function read(store: Pick<ObjectStore, 'getBytes'>, key: string): Promise<unknown> {
  const bytes = await store.getBytes(key);
  return bytes === null ? null : JSON.parse(new TextDecoder().decode(bytes));
}

function put(store: Pick<ObjectStore, 'putBytes'>, key: string, document: unknown) {
  return store.putBytes(key, new TextEncoder().encode(`${JSON.stringify(document)}\n`), 'application/json');
}
