import { z } from 'zod';
import { asDigest, type Digest } from '#core/digest.ts';

/** 64 hexadecimal digits, branded. */
export const digestSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a sha256 as 64 lower-case hexadecimal digits')
  .transform((text): Digest => asDigest(text));

/** Lower-case words joined by `-`, `_` or `.`: safe in object keys, file names and job names alike. */
export const nameSchema = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be lower-case letters, digits, . _ -');

/** An object in the lake bucket, by content. The reader checks `sha256` after the download. */
export const objectRefSchema = z.strictObject({
  key: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/=-]{0,500}$/, 'must be a plain object key'),
  sha256: digestSchema,
  sizeBytes: z.int().nonnegative(),
});
export type ObjectRef = z.infer<typeof objectRefSchema>;

/** A registered ancillary file as a job reads it: the algorithm's name for what it needs, and the object. */
export const namedRefSchema = objectRefSchema.extend({ name: nameSchema });
export type NamedRef = z.infer<typeof namedRefSchema>;

/** The seeded share of the training set that is kept out of `inform` and used by `validate`. */
export const heldOutSchema = z.strictObject({ fraction: z.number().gt(0).lt(1), seed: z.int().nonnegative() });
export type HeldOut = z.infer<typeof heldOutSchema>;

const jobBase = {
  version: z.literal(1),
  /** Identity of the work, from its content; a second message with the same key is the same work. */
  workKey: digestSchema,
  /** Step Functions task token; a new token for live work is bound to it in place of the old one. */
  taskToken: z.string().min(1).max(2048),
  release: nameSchema,
  campaign: nameSchema.max(100),
  /** A name from the registered list (schemas/algorithms); never a command or a class. */
  algorithm: nameSchema,
  /** Digest of the registered configuration that the sender means; the agent refuses another one. */
  configurationDigest: digestSchema,
  /** What the configuration needs of the ancillary store; most need nothing, and a message of an older sender says nothing. */
  ancillary: z.array(namedRefSchema).default([]),
  /** Lake prefix, without a trailing slash, below which the agent puts what it returns. */
  outputPrefix: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/=-]{0,400}[A-Za-z0-9]$/),
};

const informMessageSchema = z.strictObject({
  ...jobBase,
  kind: z.literal('inform'),
  training: objectRefSchema,
  heldOut: heldOutSchema,
});
const validateMessageSchema = z.strictObject({
  ...informMessageSchema.shape,
  kind: z.literal('validate'),
  model: objectRefSchema,
});
const estimateMessageSchema = z.strictObject({
  ...jobBase,
  kind: z.literal('estimate'),
  model: objectRefSchema,
  batch: objectRefSchema,
  /** Whether each part also leaves RAIL's own p(z), as qp HDF5. */
  archive: z.boolean(),
  /** Whether each part leaves its packed p(z); without them it leaves point estimates alone. */
  pdf: z.boolean(),
  /** Whether a part that the algorithm fails is searched for the rows that cause it. */
  bisect: z.boolean(),
});

/** What the cloud puts on the job queue. It names things; it never contains commands. */
export const jobMessageSchema = z.discriminatedUnion('kind', [
  informMessageSchema,
  validateMessageSchema,
  estimateMessageSchema,
]);
export type JobMessage = z.infer<typeof jobMessageSchema>;

/** The fields of a message, for whoever has to put it together field by field, as a state machine does. */
export function messageFields(kind: JobMessage['kind']): readonly string[] {
  const shapes = {
    inform: informMessageSchema.shape,
    validate: validateMessageSchema.shape,
    estimate: estimateMessageSchema.shape,
  };
  return Object.keys(shapes[kind]);
}

/** A skinny part inside a batch document. */
export const batchPartSchema = z.strictObject({
  partId: digestSchema,
  skinny: objectRefSchema,
  rows: z.int().positive(),
});
export type BatchPart = z.infer<typeof batchPartSchema>;

/** The document a `batch` reference points to: the parts that one Slurm array estimates under one token. */
export const batchSchema = z.strictObject({
  version: z.literal(1),
  batchId: digestSchema,
  parts: z.array(batchPartSchema).min(1),
});
export type Batch = z.infer<typeof batchSchema>;

/** `points`: keys and point estimates. `pdf`: packed p(z). `archive`: qp HDF5. `model`: pickles. `evaluation`: JSON. */
export const outputNameSchema = z.enum(['points', 'pdf', 'archive', 'model', 'evaluation']);

/** One file the worker wrote; `path` is absolute, on scratch. */
export const producedFileSchema = z.strictObject({
  name: outputNameSchema,
  path: z.string(),
  sha256: digestSchema,
  sizeBytes: z.int().nonnegative(),
  rows: z.int().nonnegative().nullable(),
});

/** Written once per unit by the job side (first writer wins): the outcome, the profile, the settlement, in one. */
export const exitRecordSchema = z.strictObject({
  version: z.literal(1),
  workKey: digestSchema,
  /** partId for `estimate`; the workKey itself for `inform` and `validate`. */
  unitId: digestSchema,
  outcome: z.enum(['succeeded', 'failed']),
  /** `science`: the data or the algorithm; `infrastructure`: the node, memory, disk. Null when it succeeded. */
  error: z
    .strictObject({ code: z.string(), kind: z.enum(['science', 'infrastructure']), message: z.string() })
    .nullable(),
  rows: z.int().nonnegative(),
  outputs: z.array(producedFileSchema),
  seconds: z.strictObject({
    import: z.number().nonnegative(),
    read: z.number().nonnegative(),
    compute: z.number().nonnegative(),
    write: z.number().nonnegative(),
    wall: z.number().nonnegative(),
  }),
  cpuSeconds: z.number().nonnegative(),
  peakRssBytes: z.int().nonnegative(),
  /** Bytes that the unit asked the file systems for and gave them (rchar, wchar of /proc/PID/io). */
  io: z.strictObject({ readBytes: z.int().nonnegative(), writtenBytes: z.int().nonnegative() }).optional(),
  node: z.string(),
  pid: z.int(),
  attemptId: z.string(),
  startedAt: z.iso.datetime({ offset: true }),
  endedAt: z.iso.datetime({ offset: true }),
  /** Package name to version, of everything that may change the result. */
  versions: z.record(z.string(), z.string()),
});
export type ExitRecord = z.infer<typeof exitRecordSchema>;

/** What the agent hands to the worker: one JSON file on scratch per scheduler task. Paths are absolute. */
export interface WorkerTask {
  readonly version: 1;
  readonly kind: JobMessage['kind'];
  readonly workKey: Digest;
  readonly algorithm: string;
  readonly configurationDigest: Digest;
  readonly threads: number;
  /** Whether `estimate` also leaves RAIL's own p(z) as qp HDF5. */
  readonly archive?: boolean;
  /** Whether `estimate` leaves packed p(z); true unless said. */
  readonly pdf?: boolean;
  /** Whether the error of a part that the science failed shall name its rows; about twice the part's own time. */
  readonly bisect?: boolean;
  readonly training: { readonly path: string; readonly sha256: Digest } | null;
  readonly heldOut: HeldOut | null;
  readonly model: { readonly path: string; readonly sha256: Digest } | null;
  /** The algorithm's ancillary files, each under the algorithm's own name for it. */
  readonly ancillary: readonly { readonly name: string; readonly path: string; readonly sha256: Digest }[];
  readonly units: readonly {
    readonly unitId: Digest;
    /** The skinny part; null for `inform` and `validate`, which read `training`. */
    readonly input: { readonly path: string; readonly sha256: Digest; readonly rows: number } | null;
    /** The directory the worker writes this unit's outputs into. */
    readonly outputDir: string;
    /** Where the exit record is linked, first writer wins. */
    readonly exitRecord: string;
  }[];
}

export const returnedObjectSchema = objectRefSchema.extend({
  unitId: digestSchema,
  name: outputNameSchema,
  rows: z.int().nonnegative().nullable(),
});
export type ReturnedObject = z.infer<typeof returnedObjectSchema>;

/** The result document the agent puts at `{outputPrefix}/result.json`, or apart by its site's lease, and that the verify step reads. */
export const jobResultSchema = z.strictObject({
  version: z.literal(1),
  workKey: digestSchema,
  kind: z.enum(['inform', 'validate', 'estimate']),
  site: nameSchema,
  outputs: z.array(returnedObjectSchema),
  /** Exit records with their outputs' scratch paths left out. */
  records: z.array(exitRecordSchema.omit({ outputs: true })),
});
export type JobResult = z.infer<typeof jobResultSchema>;

/** The output of SendTaskSuccess: small, it only points. */
export const jobAnswerSchema = z.strictObject({
  workKey: digestSchema,
  result: objectRefSchema,
  units: z.int().nonnegative(),
  failedUnits: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  coreSeconds: z.number().nonnegative(),
});
export type JobAnswer = z.infer<typeof jobAnswerSchema>;
