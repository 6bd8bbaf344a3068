import { z } from 'zod';
import { type Digest, digestOf } from '#core/digest.ts';
import { nameSchema } from '#core/job.ts';
import { type ObjectHead, type Started, startOrRetry, type Workflow } from '#core/ports.ts';
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
  z.strictObject({
    version: z.literal(1),
    kind: z.literal('chunk'),
    release: nameSchema,
    name: chunkNameSchema,
    /** The execution that found something else there when it had settled: a look of its own, whoever looked before. */
    after: z.string().optional(),
    /** The execution that held the claim when another one wanted it. */
    heldBy: z.string().optional(),
  }),
  /** The release may be complete: start its campaign if it is. */
  z.strictObject({ version: z.literal(1), kind: z.literal('campaign'), release: nameSchema }),
]);
export type IntakeRequest = z.infer<typeof intakeRequestSchema>;

export const intakeMessageSchema = z.union([uploadEventSchema, intakeRequestSchema]);

/** The input of the `chunk` state machine. */
export const chunkExecutionSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('chunk'),
    release: nameSchema,
    name: chunkNameSchema,
    /** What it looks at, in every attempt: so one execution claims one content. Null in a bucket without versions. */
    versionId: z.string().nullable(),
    /** An execution that is over but still holds the claim. */
    takesOverFrom: z.string().nullable(),
    execution: z.string(),
  }),
  /** Whichever manifest lies there when it runs. */
  z.strictObject({ kind: z.literal('manifest'), release: nameSchema, execution: z.string() }),
]);
export type ChunkExecution = z.infer<typeof chunkExecutionSchema>;

/** 40 of the digest's 64 digits: 160 bits, and within Step Functions' 80 characters with the prefix. */
const nameFrom = (prefix: string, digest: Digest) => `${prefix}-${digest.slice(0, 40)}`;

/**
 * The name of the execution that looks at an upload: by its version, so the second event of one upload starts nothing,
 * and every upload gets a look. That equal contents are one chunk is the claim's business.
 */
export function uploadExecutionName(
  kind: 'chunk' | 'manifest',
  release: string,
  name: string,
  head: ObjectHead,
  context: {
    readonly specDigest: Digest;
    readonly after?: string | undefined;
    readonly takesOverFrom?: string | null;
  },
): string {
  return nameFrom(
    kind,
    digestOf('upload-execution', {
      kind,
      release,
      name,
      version: head.versionId ?? head.etag,
      spec: context.specDigest,
      after: context.after ?? null,
      takesOverFrom: context.takesOverFrom ?? null,
    }),
  );
}

/**
 * Has what lies under a chunk's name looked at. Whoever finds the claim held comes back with `heldBy`: an execution that
 * is alive answers for the chunk, and one that is over loses its claim.
 * @param head of what lies there now
 */
export async function startChunk(
  machine: Workflow,
  { release, name, after, heldBy }: Extract<IntakeRequest, { kind: 'chunk' }>,
  head: ObjectHead,
  specDigest: Digest,
): Promise<{ readonly execution: string; readonly started: Started }> {
  if (heldBy !== undefined && (await machine.isRunning(heldBy)))
    return { execution: heldBy, started: 'alreadyStarted' };
  const takesOverFrom = heldBy ?? null;
  const execution = uploadExecutionName('chunk', release, name, head, { specDigest, after, takesOverFrom });
  const input = (numbered: string): ChunkExecution => ({
    kind: 'chunk',
    release,
    name,
    versionId: head.versionId,
    takesOverFrom,
    execution: numbered,
  });
  return { execution, started: await startOrRetry(machine, execution, input) };
}

export function campaignExecutionName(planDigest: Digest): string {
  return nameFrom('campaign', planDigest);
}
