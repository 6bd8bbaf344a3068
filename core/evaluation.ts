import { z } from 'zod';
import { digestSchema, nameSchema } from '#core/job.ts';
import { summariesSchema, tomographySchema } from '#core/summaries.ts';

const count = z.int().nonnegative();
const edges = z.array(z.number()).min(2).describe('Bin edges, ascending: one more than there are bins.');

const metricsSchema = z.strictObject({
  bias: z.number().describe('Median of e = (z_mode - z_true) / (1 + z_true). RAIL: PointBias.'),
  sigma_mad: z.number().nonnegative().describe('1.4826 x median |e - median e|. RAIL: PointSigmaMAD.'),
  sigma_iqr: z.number().nonnegative().describe('Interquartile range of e / 1.349. RAIL: PointSigmaIQR.'),
  outlier_rate_rail: z
    .number()
    .min(0)
    .max(1)
    .describe('Share with |e| > max(0.06, 3 sigma_iqr). Not comparable between algorithms. RAIL: PointOutlierRate.'),
  outlier_share_015: z.number().min(0).max(1).describe('Share with |e| > 0.15. Ours.'),
  cde_loss: z
    .number()
    .describe(
      'Conditional density loss on the grid, up to a constant; lower is better (Izbicki & Lee 2017). qp: cdeloss.',
    ),
  brier: z
    .number()
    .nonnegative()
    .describe(
      "Brier score of p(z) values on the grid, in qp's definition: not normalised to probabilities. qp: brier.",
    ),
  pit_ks: z.number().min(0).max(1).describe('Kolmogorov-Smirnov distance of the PIT values from uniform. qp: PIT.'),
  pit_cvm: z.number().nonnegative().describe('Cramer-von Mises statistic of the PIT values. qp: PIT.'),
  pit_ad: z
    .number()
    .nullable()
    .describe('Anderson-Darling statistic of the PIT values; null when fewer than two lie in [0, 1]. qp: PIT.'),
  pit_outlier_rate: z.number().min(0).max(1).describe('Share of PIT values below 0.0001 or above 0.9999. qp: PIT.'),
  crps_mean: z
    .number()
    .nonnegative()
    .describe('Mean continuous ranked probability score, in redshift (Gneiting & Raftery 2007). Ours.'),
});

const binsSchema = z.strictObject({
  edges,
  rows: z.array(count).describe('Evaluated objects per bin; bins are closed on the left.'),
  metrics: z
    .array(
      metricsSchema
        .pick({
          bias: true,
          sigma_mad: true,
          sigma_iqr: true,
          outlier_share_015: true,
          cde_loss: true,
          crps_mean: true,
        })
        .nullable(),
    )
    .describe('Metrics of each bin; null for fewer than 10 objects.'),
});

/** `evaluation.json`, what `validate` returns: how good an algorithm's p(z) is on the held-out share. */
export const evaluationSchema = z
  .strictObject({
    version: z.literal(1),
    algorithm: nameSchema,
    configurationDigest: digestSchema,
    rows: count.describe('Held-out objects with a redshift.'),
    rowsWithoutEstimate: count.describe('Of those, objects that got no estimate; the metrics leave them out.'),
    pointEstimate: z.literal('z_mode').describe('The point estimate behind e.'),
    metrics: metricsSchema,
    bins: z
      .strictObject({
        magnitude: binsSchema.describe('By AB magnitude in the reference band; objects without one are in no bin.'),
        redshift: binsSchema.describe('By true redshift.'),
      })
      .optional()
      .describe('The same metrics where objects are bright or faint, near or far. Absent before 2026-11-26.'),
    pit: z
      .strictObject({ edges, counts: z.array(count) })
      .describe('Histogram of the PIT values F(z_true): flat when p(z) is calibrated.'),
    nz: z
      .strictObject({
        edges,
        estimated: z.array(z.number().nonnegative()).describe('Stacked p(z): expected objects per bin.'),
        true: z.array(count).describe('True redshifts per bin.'),
        trueOutside: count.describe('True redshifts beyond the grid.'),
      })
      .describe('Redshift distribution of the held-out sample.'),
    summaries: summariesSchema
      .optional()
      .describe("N(z) by RAIL's summarizers. Absent before 2026-11-28 and for fewer than 10 evaluated objects."),
    tomography: tomographySchema
      .optional()
      .describe('Tomographic bins by z_mode. Absent before 2026-11-28 and for fewer than 10 evaluated objects.'),
  })
  .describe('Evaluation of one algorithm on the held-out share of the training set.');
export type Evaluation = z.infer<typeof evaluationSchema>;
