import { z } from 'zod';
import { chunkRowSchema, findingSchema, partRowSchema } from '#core/chunk.ts';
import { digestSchema, objectRefSchema } from '#core/job.ts';

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
      /** Of the file; the parts have fewer where the recipe cuts. */
      rows: z.int().positive(),
      recipeDigest: digestSchema,
      /** None where the recipe's cut keeps no row. */
      parts: z.array(partRowSchema),
      /** What is to be known of a chunk that is used all the same. */
      findings: z.array(findingSchema),
      summary: objectRefSchema,
    }),
    z.strictObject({ outcome: z.literal('quarantined'), findings: z.array(findingSchema).min(1) }),
  ]),
});
export type SettlementDocument = z.infer<typeof settlementDocumentSchema>;
