import { z } from 'zod';
import { type Digest, digestOf } from '#core/digest.ts';
import { nameSchema } from '#core/job.ts';
import type { ObjectHead } from '#core/ports.ts';
import { chunkNameSchema } from '#core/release.ts';

/** What EventBridge puts on the intake queue when an object was created in the landing bucket. */
export const uploadEventSchema = z.object({
  source: z.literal('aws.s3'),
  'detail-type': z.literal('Object Created'),
  detail: z.object({
    bucket: z.object({ name: z.string() }),
    object: z.object({ key: z.string() }),
  }),
});

/** What Ponte itself puts on the intake queue; an upload and a reprocessing take the same way. */
export const intakeRequestSchema = z.discriminatedUnion('kind', [
  /** Look at what lies under this name now, as if it had just been uploaded. */
  z.strictObject({ version: z.literal(1), kind: z.literal('chunk'), release: nameSchema, name: chunkNameSchema }),
  /** The release may be complete: start its campaign if it is. */
  z.strictObject({ version: z.literal(1), kind: z.literal('campaign'), release: nameSchema }),
]);
export type IntakeRequest = z.infer<typeof intakeRequestSchema>;

export const intakeMessageSchema = z.union([uploadEventSchema, intakeRequestSchema]);

/** The input of the `chunk` state machine. It names a place, not a version: what lies there when it runs counts. */
export const chunkExecutionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('chunk'), release: nameSchema, name: chunkNameSchema, execution: z.string() }),
  z.strictObject({ kind: z.literal('manifest'), release: nameSchema, execution: z.string() }),
]);
export type ChunkExecution = z.infer<typeof chunkExecutionSchema>;

/** 40 of the digest's 64 digits: 160 bits, and within Step Functions' 80 characters with the prefix. */
const nameFrom = (prefix: string, digest: Digest) => `${prefix}-${digest.slice(0, 40)}`;

/**
 * The name of the execution that looks at an upload. It derives from the content, so the second event of one upload,
 * and a second upload of the same bytes, start nothing. Without a declared digest every version is looked at, and the
 * claim, which knows the digest by then, sorts it out.
 */
export function uploadExecutionName(
  kind: 'chunk' | 'manifest',
  release: string,
  name: string,
  head: ObjectHead,
  context: { readonly specDigest: Digest; readonly revivals: number },
): string {
  const content = head.declaredSha256 ?? `version:${head.versionId ?? ''}:${head.etag}`;
  return nameFrom(
    kind,
    digestOf('upload-execution', {
      kind,
      release,
      name,
      content,
      spec: context.specDigest,
      revivals: context.revivals,
    }),
  );
}

export function campaignExecutionName(planDigest: Digest): string {
  return nameFrom('campaign', planDigest);
}
