import { z } from 'zod';
import { type Digest, digestOf } from '#core/digest.ts';
import {
  type BatchPart,
  digestSchema,
  type HeldOut,
  jobAnswerSchema,
  type ObjectRef,
  type ReturnedObject,
  returnedObjectSchema,
} from '#core/job.ts';
import type { Key } from '#core/table.ts';

/** What every job of one algorithm shares. */
export interface AlgorithmVersion {
  readonly algorithm: string;
  readonly configurationDigest: Digest;
  /** Digest of the lock file of the worker's packages. */
  readonly environmentDigest: Digest;
}

const common = (version: AlgorithmVersion) => ({
  algorithm: version.algorithm,
  configuration: version.configurationDigest,
  environment: version.environmentDigest,
});

/** Equal key, equal model: the training set without its held-out share, through one algorithm. */
export function informKey(version: AlgorithmVersion, training: ObjectRef, heldOut: HeldOut): Digest {
  return digestOf('work-inform', { ...common(version), training: training.sha256, heldOut });
}

export function validateKey(
  version: AlgorithmVersion,
  training: ObjectRef,
  heldOut: HeldOut,
  model: ObjectRef,
): Digest {
  return digestOf('work-validate', { ...common(version), training: training.sha256, heldOut, model: model.sha256 });
}

/** What an estimate leaves besides its points, which it always leaves. */
export interface KeptPdf {
  /** RAIL's own p(z), as qp HDF5. */
  readonly archive: boolean;
  /** p(z) packed for the table, a byte per grid point. */
  readonly pdf: boolean;
}

/** Named by the parts' own content, so that moving or renaming them costs nothing. To keep more or less is other work. */
export function estimateKey(
  version: AlgorithmVersion,
  model: ObjectRef,
  parts: readonly BatchPart[],
  { archive, pdf }: KeptPdf,
): Digest {
  return digestOf('work-estimate', {
    ...common(version),
    ...(archive ? { archive } : {}),
    ...(pdf ? {} : { pdf }),
    model: model.sha256,
    parts: parts.map((part) => ({ partId: part.partId, skinny: part.skinny.sha256 })),
  });
}

/** Finished work, found again by its key: the reason why nothing is done twice. */
export const workRowSchema = z.object({
  workKey: z.string(),
  campaign: z.string(),
  algorithm: z.string(),
  answer: jobAnswerSchema,
  finishedAt: z.string(),
  seconds: z.number().nonnegative(),
});
export type WorkRow = z.infer<typeof workRowSchema>;
export const workKeyOf = (key: Digest): Key => ({ pk: `W#${key}`, sk: 'META' });

/** Where one part's estimates are, per algorithm: what packing reads. */
export const estimateRowSchema = returnedObjectSchema;
export const ESTIMATE_PREFIX = 'E#';
export const estimateRowKey = (campaign: string, partId: Digest, algorithm: string): Key => ({
  pk: `C#${campaign}`,
  sk: `${ESTIMATE_PREFIX}${partId}#${algorithm}`,
});

/** Where one part's p(z) are, per algorithm. */
const POSTERIOR_PREFIX = 'Z#';
export const posteriorRowKey = (campaign: string, partId: Digest, algorithm: string): Key => ({
  pk: `C#${campaign}`,
  sk: `${POSTERIOR_PREFIX}${partId}#${algorithm}`,
});

/** The lake prefix a job's outputs go under: named by the work, so two campaigns share them. */
export const workPrefix = (kind: 'inform' | 'validate' | 'estimate', key: Digest) =>
  `work/${kind}/${key.slice(0, 2)}/${key}`;

const EXTENSIONS = { points: 'parquet', pdf: 'parquet', archive: 'hdf5', model: 'pkl', evaluation: 'json' } as const;

/** Where a unit's output goes below its job's prefix; with its digest, so that two contents never share a key. */
export const outputKey = (
  prefix: string,
  { unitId, name, sha256 }: Pick<ReturnedObject, 'unitId' | 'name' | 'sha256'>,
) => `${prefix}/${unitId}/${name}-${sha256.slice(0, 16)}.${EXTENSIONS[name]}`;

/**
 * Whether a reference is to a model as an agent of ours leaves it after an `inform`. A model is a pickle, that is code:
 * nothing else is loaded. The one unit of an `inform` is the work itself.
 */
export function isInformedModel({ key, sha256 }: Pick<ObjectRef, 'key' | 'sha256'>): boolean {
  const informed = digestSchema.safeParse(key.split('/').at(-2));
  if (!informed.success) return false;
  return key === outputKey(workPrefix('inform', informed.data), { unitId: informed.data, name: 'model', sha256 });
}
