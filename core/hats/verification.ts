import { z } from 'zod';
import type { Digest } from '#core/digest.ts';
import { PART_KINDS, type PartKind } from '#core/hats/parts.ts';
import { type Finding, findingSchema } from '#core/hats/verdict.ts';
import type { Pixel } from '#core/healpix.ts';
import { digestSchema } from '#core/job.ts';

/** What a look at one partition needs of the collection as a whole: 12 bytes for each of its partitions. */
export const outlineSchema = z.strictObject({
  version: z.literal(1),
  /** The folders of the catalogues inside the collection; only those that it lists. */
  folders: z.strictObject({
    object: z.string(),
    margin: z.string().exactOptional(),
    index: z.string().exactOptional(),
    posterior: z.string().exactOptional(),
  }),
  /** Of the sky maps; null where the properties do not say. */
  mapOrder: z.int().nullable(),
  /** How far margins reach; null where there is none, or the properties do not say. */
  marginArcsec: z.number().nullable(),
  /** [order, pixel] of the catalogue's partitions, in sky order. */
  partitions: z.array(z.tuple([z.int(), z.int()])),
});
export type Outline = z.infer<typeof outlineSchema>;

const pixelFields = { order: z.int().nonnegative(), pixel: z.int().nonnegative() };

/** One partition to look at: what is there of it in each catalogue. */
export const partitionLookSchema = z.strictObject({
  ...pixelFields,
  /** Whether its margin is also looked for by geometry alone. */
  sampled: z.boolean(),
  /** The digest is the manifest's, null where it names no such file. */
  files: z.partialRecord(z.enum(PART_KINDS), z.strictObject({ sizeBytes: z.int(), sha256: digestSchema.nullable() })),
});
export type PartitionLook = z.infer<typeof partitionLookSchema>;

const fileRecordSchema = z.strictObject({
  sizeBytes: z.int(),
  sha256: digestSchema,
  /** What is wrong with the file's frame, or what its footer says. */
  footer: z.union([
    z.strictObject({ defect: z.string() }),
    z.strictObject({
      schema: digestSchema,
      rows: z.int(),
      rowGroups: z.int(),
      /** What the file adds to `_metadata`, by its bytes. */
      metadata: z.strictObject({ sizeBytes: z.int(), sha256: digestSchema }),
    }),
  ]),
});
export type FileRecord = z.infer<typeof fileRecordSchema>;

/** Rows that two files must have in common: how many, and a sum that does not depend on their order. */
const sharedRowsSchema = z.strictObject({ ...pixelFields, rows: z.int(), sum: z.string() });
export type SharedRows = z.infer<typeof sharedRowsSchema>;

/** A text: JSON's numbers have 53 bits. */
const idSchema = z.string().regex(/^-?\d+$/);

/** Ids from `first` to `last`, of so many rows. */
export const idRunSchema = z.strictObject({ first: idSchema, last: idSchema, rows: z.int() });
export type IdRun = z.infer<typeof idRunSchema>;

/** What a look at one partition found: all that the last step needs to know of it, a few kB. */
export const partitionRecordSchema = z.strictObject({
  version: z.literal(1),
  ...pixelFields,
  files: z.partialRecord(z.enum(PART_KINDS), fileRecordSchema),
  /** Whether the rows of its leaf could be read as those of a photo-z table. */
  readable: z.boolean(),
  /** Rows per pixel of the sky maps. */
  counts: z.array(z.tuple([z.int(), z.int()])),
  /** Digests of the rows that the thumbnails show of it: the first of a leaf. */
  firstRows: z.strictObject({ object: digestSchema.exactOptional(), posterior: digestSchema.exactOptional() }),
  /** Where its ids are, ascending: runs without wide gaps. */
  idRuns: z.array(idRunSchema),
  /** Rows of this leaf that belong into the margin of another partition. */
  given: z.array(sharedRowsSchema),
  /** Rows of this partition's margin that come from another partition. */
  held: z.array(sharedRowsSchema),
  /** By the catalogue whose rows they are about. */
  findings: z.record(z.enum(PART_KINDS), z.array(findingSchema)),
  /** Findings beyond the first few of each code. */
  suppressed: z.int(),
});
export type PartitionRecord = z.infer<typeof partitionRecordSchema>;

/** A range of ids to compare, and the partitions that have some of them. */
export const idRangeSchema = z.strictObject({
  /** The first id, and the first one beyond; null for no end. */
  from: idSchema,
  to: idSchema.nullable(),
  /** With the file that has them, as it was when it was looked at. */
  partitions: z.array(z.strictObject({ ...pixelFields, kind: z.enum(['object', 'index']), sha256: digestSchema })),
});
export type IdRange = z.infer<typeof idRangeSchema>;

export const pixelName = ({ order, pixel }: Pixel): string => `${order}-${pixel}`;

export interface NamedFooter {
  readonly schema: Digest;
  readonly rows: number;
  readonly rowGroups: number;
  readonly metadata: { readonly sizeBytes: number; readonly sha256: Digest };
}

/** The footer of a file whose frame is whole. */
export function footerOf(record: PartitionRecord, kind: PartKind): NamedFooter | null {
  const footer = record.files[kind]?.footer;
  return footer && 'schema' in footer ? footer : null;
}

export const noFindings = (): Record<PartKind, Finding[]> => ({ object: [], margin: [], index: [], posterior: [] });
