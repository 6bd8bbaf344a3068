import { z } from 'zod';
import { type Digest, digestOf } from '#core/digest.ts';
import { digestSchema, objectRefSchema } from '#core/job.ts';
import type { Key } from '#core/table.ts';

/** What is published under a collection's public name: the last object that a delivery writes. */
export const publishedMarkerSchema = z.strictObject({
  version: z.literal(1),
  collection: z.string(),
  /** Where this version's files are, without a trailing slash. */
  prefix: z.string(),
  manifest: z.strictObject({ sha256: digestSchema, sizeBytes: z.int() }),
  rows: z.int(),
  release: z.string(),
  campaign: z.string(),
  publishedAt: z.string(),
});
export type PublishedMarker = z.infer<typeof publishedMarkerSchema>;

const withdrawalSchema = z.strictObject({ at: z.string(), by: z.string(), because: z.string().min(1) });
export type Withdrawal = z.infer<typeof withdrawalSchema>;

/** What stands under the public name instead, when no version is left: a reader learns why, and finds nothing. */
export const tombstoneSchema = z.strictObject({
  version: z.literal(1),
  collection: z.string(),
  /** The version that was withdrawn; its files stay where they were. */
  delivery: z.string(),
  withdrawn: withdrawalSchema,
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

export const deliveryRowSchema = z.object({
  delivery: z.string(),
  collection: z.string(),
  release: z.string(),
  campaign: z.string(),
  bucket: z.string(),
  prefix: z.string(),
  manifest: objectRefSchema,
  rows: z.int(),
  files: z.int(),
  sizeBytes: z.int(),
  deliveredAt: z.string(),
  /** Null while the delivery stands. */
  withdrawn: withdrawalSchema.nullable().default(null),
});
export type DeliveryRow = z.infer<typeof deliveryRowSchema>;
/** A delivery as it is recorded: it stands. */
export type NewDelivery = Omit<DeliveryRow, 'withdrawn'>;

/** All deliveries are one partition of the table: there are a few a year. */
export const DELIVERIES = 'D';
export const DELIVERY_PREFIX = 'D#';
export const deliveryKey = (delivery: string): Key => ({ pk: DELIVERIES, sk: `${DELIVERY_PREFIX}${delivery}` });

/** A version of a collection, by the digest of its manifest, which lists the digest of everything in it. */
export function deliveryName(collection: string, manifestSha256: Digest): string {
  return `${collection}-${digestOf('delivery', { collection, manifest: manifestSha256 }).slice(0, 10)}`;
}

export const deliveryPrefix = (collection: string, delivery: string) => `${collection}/versions/${delivery}`;
/** The marker of a delivery that is there. */
export function markerOf(row: NewDelivery): PublishedMarker {
  return {
    version: 1,
    collection: row.collection,
    prefix: row.prefix,
    manifest: { sha256: row.manifest.sha256, sizeBytes: row.manifest.sizeBytes },
    rows: row.rows,
    release: row.release,
    campaign: row.campaign,
    publishedAt: row.deliveredAt,
  };
}

/** Says beside a version's files that it was withdrawn. */
export const tombstoneKey = (row: Pick<DeliveryRow, 'prefix'>) => `${row.prefix}/WITHDRAWN.json`;
export const markerKey = (collection: string) => `${collection}/PUBLISHED.json`;
