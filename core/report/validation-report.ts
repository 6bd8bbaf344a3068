import { z } from 'zod';
import { digestSchema, heldOutSchema, objectRefSchema } from '#core/job.ts';

/** What the worker's `validate` writes for one algorithm (schemas/evaluation.schema.json documents each field). */
export const evaluationSchema = z.looseObject({
  algorithm: z.string(),
  rows: z.int().nonnegative(),
  metrics: z.record(z.string(), z.number().nullable()),
});
export type Evaluation = z.infer<typeof evaluationSchema>;

export const validationReportSchema = z.object({
  version: z.literal(1),
  campaign: z.string(),
  release: z.string(),
  title: z.string(),
  planDigest: digestSchema,
  chunks: z.int(),
  quarantinedChunks: z.int(),
  rows: z.int(),
  heldOut: heldOutSchema,
  trainingSet: objectRefSchema,
  algorithms: z.array(z.object({ algorithm: z.string(), model: objectRefSchema, evaluation: evaluationSchema })),
});
export type ValidationReport = z.infer<typeof validationReportSchema>;
