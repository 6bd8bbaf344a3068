import { z } from 'zod';
import { chunkRowSchema, findingSchema, partRowSchema } from '#core/chunk.ts';
import { digestSchema } from '#core/job.ts';

/**
 * What `inspect` found and derived, for `record`. It lies in the lake, because a large chunk has more parts than fit
 * through a state machine.
 */
export const settlementDocumentSchema = z.strictObject({
  version: z.literal(1),
  chunk: chunkRowSchema,
  seconds: z.number().nonnegative(),
  settlement: z.discriminatedUnion('outcome', [
    z.strictObject({
      outcome: z.literal('skinny'),
      rows: z.int().positive(),
      recipeDigest: digestSchema,
      parts: z.array(partRowSchema).min(1),
    }),
    z.strictObject({ outcome: z.literal('quarantined'), findings: z.array(findingSchema).min(1) }),
  ]),
});
export type SettlementDocument = z.infer<typeof settlementDocumentSchema>;
