import { z } from 'zod';
import { evaluationSchema as writtenSchema } from '#core/evaluation.ts';
import { digestSchema, heldOutSchema, objectRefSchema } from '#core/job.ts';

const metricNameSchema = writtenSchema.shape.metrics.keyof();
export type MetricName = z.infer<typeof metricNameSchema>;

/**
 * An evaluation as a report reads it: what the worker writes (core/evaluation.ts), but a metric may be missing or null,
 * as when it could not be computed. The coordinator shall see that, rather than no report.
 */
export const evaluationSchema = writtenSchema
  .extend({ metrics: z.partialRecord(metricNameSchema, z.number().nullable()) })
  .refine(({ pit }) => pit.edges.length === pit.counts.length + 1, {
    path: ['pit'],
    error: 'must have an edge more than bins',
  })
  .refine(({ nz }) => nz.edges.length === nz.estimated.length + 1 && nz.edges.length === nz.true.length + 1, {
    path: ['nz'],
    error: 'must have an edge more than bins',
  });
export type Evaluation = z.infer<typeof evaluationSchema>;

/** `validation.json`: what a coordinator decides on. An approval is bound to its digest and to the plan's. */
export const validationReportSchema = z.strictObject({
  version: z.literal(1),
  campaign: z.string(),
  release: z.string(),
  title: z.string(),
  planDigest: digestSchema,
  chunks: z.int().nonnegative(),
  quarantinedChunks: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  heldOut: heldOutSchema,
  trainingSet: objectRefSchema,
  algorithms: z
    .array(z.strictObject({ algorithm: z.string(), model: objectRefSchema, evaluation: evaluationSchema }))
    .min(1),
});
export type ValidationReport = z.infer<typeof validationReportSchema>;
export type ValidatedAlgorithm = ValidationReport['algorithms'][number];
