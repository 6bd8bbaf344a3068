import { join } from 'node:path';
import { z } from 'zod';
import { type DatabaseOptions, withDatabase } from '#adapters/duckdb.ts';
import { concludeVerification } from '#adapters/hats-conclusion.ts';
import { compareIds, idHolder } from '#adapters/hats-ids-check.ts';
import { outlineCollection } from '#adapters/hats-outline.ts';
import { lookAtPartition } from '#adapters/hats-partition-check.ts';
import { StoredCollection } from '#adapters/stored-collection.ts';
import type { Catalogue } from '#core/campaign.ts';
import { findDocument, readDocument, writeDocument } from '#core/documents.ts';
import { InvariantError } from '#core/errors.ts';
import { divideIds, type IdHolder } from '#core/hats/id-ranges.ts';
import { PartitionsBySky } from '#core/hats/margin-check.ts';
import type { Finding, VerifyReport } from '#core/hats/verdict.ts';
import {
  type IdRange,
  idRangeSchema,
  outlineSchema,
  type PartitionRecord,
  partitionRecordSchema,
} from '#core/hats/verification.ts';
import { inOrder } from '#core/in-order.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ObjectStore } from '#core/ports.ts';
import {
  type IdRangeOrder,
  idRangeOrderSchema,
  idRecordSchema,
  type PartitionOrder,
  partitionOrderSchema,
  partitionRecordKey,
  recordsPrefix,
} from '#core/verification-order.ts';

/*
 * The verification of a packed collection in steps, each bounded by what one partition, or one range of ids, takes; only
 * lists and records, a few kB a partition, are ever together. `ponte verify` takes the same steps one after the other.
 */

/** What a step works with; `scratch` is a folder for what it looks at. */
export interface VerificationServices {
  readonly lake: Pick<ObjectStore, 'list' | 'getBytes' | 'getFile' | 'putBytes'>;
  readonly scratch: string;
}

/** Small things that are asked for at once: a survey has tens of thousands of records, of a few kB each. */
const AT_ONCE = 32;

const engineIn = (scratch: string): DatabaseOptions => ({
  threads: 1,
  memoryLimit: '900MiB',
  temporaryFolder: join(scratch, 'spill'),
});

const filesOf = ({ prefix }: Pick<Catalogue, 'prefix'>) => `${prefix}/files/`;
const listKey = (campaign: string, name: string) => `campaigns/${campaign}/verification/${name}.json`;

/** Lists what is to be looked at, partition by partition. */
export async function planVerification(
  campaign: string,
  catalogue: Catalogue,
  { lake, scratch }: VerificationServices,
): Promise<ObjectRef> {
  const files = filesOf(catalogue);
  const whole = await outlineCollection(new StoredCollection(lake, files, scratch), {
    manifestSha256: catalogue.manifest.sha256,
  });
  // Without an outline the last step has nothing to wait for, and says what is wrong.
  const { outline, looks } = whole;
  if (outline === null) return await writeDocument(lake, listKey(campaign, 'partitions'), []);
  const ref = await writeDocument(lake, listKey(campaign, 'outline'), outline);
  const records = recordsPrefix(catalogue);
  const orders = looks.map((look): PartitionOrder => ({ campaign, files, records, outline: ref, look }));
  return await writeDocument(lake, listKey(campaign, 'partitions'), orders);
}

/** Looks at one partition and leaves a record of it. What is wrong with it is for the last step to say. */
export async function verifyPartition(
  order: PartitionOrder,
  { lake, scratch }: VerificationServices,
): Promise<PartitionRecord> {
  const outline = await readDocument(lake, order.outline, outlineSchema);
  const source = new StoredCollection(lake, order.files, scratch);
  const surroundings = { source, outline, sky: new PartitionsBySky(outline.partitions) };
  const record = await withDatabase(engineIn(scratch), (database) =>
    lookAtPartition(surroundings, order.look, database),
  );
  await writeDocument(lake, partitionRecordKey(order, record), record);
  return record;
}

/** Lists the ranges in which ids are to be compared, by what was found in the partitions. */
export async function planIdRanges(
  campaign: string,
  partitions: ObjectRef,
  { lake }: Pick<VerificationServices, 'lake'>,
): Promise<ObjectRef> {
  const looked = await readDocument(lake, partitions, z.array(partitionOrderSchema));
  const orders: IdRangeOrder[] = [];
  const [first] = looked;
  if (first) {
    const { look: _look, ...shared } = first;
    const holders: IdHolder[] = [];
    for await (const record of recordsOf(looked, lake)) {
      const holder = idHolder(record);
      if (holder) holders.push(holder);
    }
    const ranges = divideIds(holders);
    const write = async ([number, range]: [number, IdRange]): Promise<IdRangeOrder> => ({
      ...shared,
      range: await writeDocument(lake, `${shared.records}ranges/${number}.json`, range),
      record: `${shared.records}ids/${number}.json`,
    });
    for await (const order of inOrder(ranges.entries(), AT_ONCE, write)) orders.push(order);
  }
  return await writeDocument(lake, listKey(campaign, 'ids'), orders);
}

/** Compares the ids of one range and leaves a record of it. */
export async function verifyIdRange(
  order: IdRangeOrder,
  { lake, scratch }: VerificationServices,
): Promise<readonly Finding[]> {
  const outline = await readDocument(lake, order.outline, outlineSchema);
  const range = await readDocument(lake, order.range, idRangeSchema);
  const source = new StoredCollection(lake, order.files, scratch);
  const findings = await compareIds(source, outline.folders, range, engineIn(scratch));
  await writeDocument(lake, order.record, { version: 1, findings });
  return findings;
}

/** Judges the whole by all records. */
export async function concludeCatalogue(
  catalogue: Catalogue,
  expectedRows: number,
  lists: { readonly partitions: ObjectRef; readonly idRanges: ObjectRef },
  { lake, scratch }: VerificationServices,
): Promise<VerifyReport> {
  const looked = await readDocument(lake, lists.partitions, z.array(partitionOrderSchema));
  const compared = await readDocument(lake, lists.idRanges, z.array(idRangeOrderSchema));
  const records: PartitionRecord[] = [];
  for await (const record of recordsOf(looked, lake)) records.push({ ...record, idRuns: [] });
  const repeated: Finding[] = [];
  const found = ({ record }: IdRangeOrder) => readRecord(lake, record, idRecordSchema);
  for await (const { findings } of inOrder(compared, AT_ONCE, found)) repeated.push(...findings);
  const whole = await outlineCollection(new StoredCollection(lake, filesOf(catalogue), scratch), {
    manifestSha256: catalogue.manifest.sha256,
  });
  if (whole.looks.length !== records.length) {
    throw missing(`${records.length} partitions were looked at, there are ${whole.looks.length}`);
  }
  return await concludeVerification(whole, { records, repeated }, { expectedRows, database: engineIn(scratch) });
}

/** In the order of the list. */
function recordsOf(
  orders: readonly PartitionOrder[],
  lake: VerificationServices['lake'],
): AsyncGenerator<PartitionRecord> {
  return inOrder(orders, AT_ONCE, (order) =>
    readRecord(lake, partitionRecordKey(order, order.look), partitionRecordSchema),
  );
}

async function readRecord<T>(lake: VerificationServices['lake'], key: string, schema: z.ZodType<T>): Promise<T> {
  const record = await findDocument(lake, key, schema);
  if (record === null) throw missing(`${key} is not there`);
  return record;
}

function missing(what: string): InvariantError {
  return new InvariantError(`the catalogue was not looked at as a whole: ${what}`, {
    code: 'VERIFICATION_INCOMPLETE',
    hint: 'Nothing was delivered. Start the campaign again: the catalogue is verified anew.',
  });
}
