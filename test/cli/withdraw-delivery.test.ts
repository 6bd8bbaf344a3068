import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { withdrawDelivery } from '#cli/operations/withdraw-delivery.ts';
import {
  deliveryKey,
  deliveryPrefix,
  deliveryRowSchema,
  markerKey,
  markerOf,
  type NewDelivery,
  tombstoneKey,
} from '#core/delivery.ts';
import { sha256 } from '#core/digest.ts';

const COLLECTION = 'object_photoz';
const WITHDRAWAL = { at: '2026-11-21T10:00:00Z', by: 'coordinator', because: 'wrong zero point in y' };

function delivered(name: string, day: string): NewDelivery {
  const prefix = deliveryPrefix(COLLECTION, name);
  return {
    delivery: name,
    collection: COLLECTION,
    release: 'dp1',
    campaign: 'dp1.photoz',
    bucket: 'delivery',
    prefix,
    manifest: { key: `${prefix}/manifest.json`, sha256: sha256(name), sizeBytes: 10 },
    rows: 5,
    files: 3,
    sizeBytes: 100,
    deliveredAt: `2026-11-${day}T00:00:00Z`,
  };
}

const [FIRST, SECOND] = [delivered('photoz-1', '01'), delivered('photoz-2', '02')];

/** A bucket of documents that fails at the n-th write. */
class Documents {
  readonly texts = new Map<string, string>();
  writesLeft = Number.POSITIVE_INFINITY;

  async getBytes(key: string) {
    const text = this.texts.get(key);
    return text === undefined ? null : new TextEncoder().encode(text);
  }

  async putBytes(key: string, bytes: Uint8Array) {
    if (this.writesLeft-- <= 0) throw new Error('killed');
    this.texts.set(key, new TextDecoder().decode(bytes));
    return { key, sha256: sha256(bytes), sizeBytes: bytes.byteLength };
  }

  read(key: string): unknown {
    return JSON.parse(this.texts.get(key) ?? 'null');
  }
}

let table: MemoryTable;
let store: Documents;

beforeEach(async () => {
  table = new MemoryTable();
  store = new Documents();
  for (const row of [FIRST, SECOND]) {
    await table.write([{ kind: 'put', item: { ...deliveryKey(row.delivery), ...row } }]);
    store.texts.set(markerKey(COLLECTION), JSON.stringify(markerOf(row)));
  }
});

const withdraw = (row: NewDelivery, withdrawal = WITHDRAWAL) =>
  withdrawDelivery(table, store, row.delivery, withdrawal);
const recorded = async (row: NewDelivery) => deliveryRowSchema.parse(await table.get(deliveryKey(row.delivery)));

describe('withdrawing a delivery', () => {
  test('makes the version before it public again, and says so in the record and beside the files', async () => {
    const done = await withdraw(SECOND);

    expect(done).toEqual({ delivery: 'photoz-2', withdrawn: WITHDRAWAL, published: 'photoz-1' });
    expect(store.read(markerKey(COLLECTION))).toEqual(markerOf(FIRST));
    expect(store.read(tombstoneKey(SECOND))).toMatchObject({ delivery: 'photoz-2', withdrawn: WITHDRAWAL });
    expect((await recorded(SECOND)).withdrawn).toEqual(WITHDRAWAL);
    expect((await recorded(FIRST)).withdrawn).toBeNull();
  });

  test('of a version that is not public leaves the public one alone', async () => {
    await withdraw(FIRST);

    expect(store.read(markerKey(COLLECTION))).toEqual(markerOf(SECOND));
  });

  test('of the last version leaves a tombstone under the public name', async () => {
    await withdraw(FIRST);
    const done = await withdraw(SECOND);

    expect(done.published).toBeNull();
    expect(store.read(markerKey(COLLECTION))).toMatchObject({ delivery: 'photoz-2', withdrawn: WITHDRAWAL });
  });

  test('keeps the first reason when it is repeated', async () => {
    await withdraw(SECOND);
    const again = await withdraw(SECOND, { ...WITHDRAWAL, because: 'another reason' });

    expect(again.withdrawn).toEqual(WITHDRAWAL);
  });

  test.each([0, 1])('killed after %i of its documents, ends the same when it is repeated', async (writes) => {
    store.writesLeft = writes;
    await expect(withdraw(SECOND)).rejects.toThrow('killed');
    store.writesLeft = Number.POSITIVE_INFINITY;

    await withdraw(SECOND);

    expect(store.read(markerKey(COLLECTION))).toEqual(markerOf(FIRST));
    expect(store.read(tombstoneKey(SECOND))).toMatchObject({ withdrawn: WITHDRAWAL });
  });

  test('of what was never delivered is refused, and leaves no record', async () => {
    const attempt = withdrawDelivery(table, store, 'photoz-9', WITHDRAWAL);

    await expect(attempt).rejects.toMatchObject({ code: 'DELIVERY_UNKNOWN' });
    expect(await table.get(deliveryKey('photoz-9'))).toBeNull();
  });
});
