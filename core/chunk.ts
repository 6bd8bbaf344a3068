import { z } from 'zod';
import { SEVERITIES } from '#core/checks.ts';
import { type Digest, digestOf } from '#core/digest.ts';
import { FINDING_CODES, onlyUnverified } from '#core/integrity.ts';
import { digestSchema, nameSchema, objectRefSchema } from '#core/job.ts';
import { CHUNK_STATES } from '#core/life-cycle.ts';
import { objectSliceSchema } from '#core/object-slice.ts';
import { chunkNameSchema, releasePartition } from '#core/release.ts';
import type { Key } from '#core/table.ts';

/** Identity of an uploaded file: its release, its key and its bytes. A new content under the same key is a new chunk. */
export function chunkId(release: string, name: string, sha256: Digest): Digest {
  return digestOf('chunk', { release, name, sha256 });
}

export const findingSchema = z.strictObject({
  code: z.enum(FINDING_CODES),
  sentence: z.string(),
  severity: z.enum(SEVERITIES).exactOptional(),
  numbers: z.record(z.string(), z.number()).exactOptional(),
  where: z.string().exactOptional(),
});

export const chunkRowSchema = z.object({
  chunkId: digestSchema,
  release: nameSchema,
  name: chunkNameSchema,
  sha256: digestSchema,
  sizeBytes: z.int().nonnegative(),
  etag: z.string(),
  state: z.enum(CHUNK_STATES),
  /** The state machine execution that holds the claim. */
  execution: z.string(),
  claimedAt: z.string(),
  settledAt: z.string().nullable(),
  rows: z.int().nonnegative().nullable(),
  parts: z.int().nonnegative().nullable(),
  recipeDigest: digestSchema.nullable(),
  findings: z.array(findingSchema),
  /** What its values look like, for the release's report (core/chunk-summary.ts); of a usable chunk only. */
  summary: objectSliceSchema.nullable().default(null),
  /** How often this content was superseded and came back. */
  revivals: z.int().nonnegative(),
  seconds: z.number().nonnegative().nullable(),
  /** What a person decided last on this content in quarantine (core/quarantine-book.ts). */
  decision: z.strictObject({ action: z.string(), who: z.string(), why: z.string(), at: z.string() }).exactOptional(),
});
export type ChunkRow = z.infer<typeof chunkRowSchema>;

/** In quarantine for want of a known digest alone, and not left there by a person: a digest has it looked at anew. */
export const awaitsDigest = ({ state, findings, decision }: ChunkRow): boolean =>
  state === 'quarantined' && decision?.action !== 'discard' && onlyUnverified(findings);

export const CHUNK_PREFIX = 'C#';
export const chunkKey = (release: string, id: Digest): Key => ({
  pk: releasePartition(release),
  sk: `${CHUNK_PREFIX}${id}`,
});

/** Which chunk is current under a name. `revision` counts its changes: the guard of two that settle at once. */
export const pointerRowSchema = z.object({
  name: chunkNameSchema,
  chunkId: digestSchema,
  outcome: z.enum(['skinny', 'quarantined']),
  revision: z.int().positive(),
});
export type PointerRow = z.infer<typeof pointerRowSchema>;
export const POINTER_PREFIX = 'K#';
export const pointerKey = (release: string, name: string): Key => ({
  pk: releasePartition(release),
  sk: `${POINTER_PREFIX}${name}`,
});

/** A skinny part and where its pixel counts are. */
export const partRowSchema = z.object({
  partId: digestSchema,
  chunkId: digestSchema,
  index: z.int().nonnegative(),
  rows: z.int().positive(),
  skinny: objectRefSchema,
  /** JSON object: nested HEALPix pixel at order 10 -> rows. */
  pixels: objectSliceSchema,
});
export type PartRow = z.infer<typeof partRowSchema>;
export const partPrefix = (id: Digest) => `P#${id}#`;
export const partKey = (release: string, id: Digest, index: number): Key => ({
  pk: releasePartition(release),
  sk: `${partPrefix(id)}${String(index).padStart(6, '0')}`,
});

/** What one look at a chunk leaves beside its parts, in slices; of the execution that made it. */
export const lookObjectKey = (id: Digest, execution: string) => `chunks/${id}/${execution}.look`;

/** Where a part lives in the lake: by what made it. */
export const skinnyObjectKey = (part: Digest) => `skinny/${part.slice(0, 2)}/${part}.parquet`;
