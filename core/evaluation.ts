import { z } from 'zod';
import { digestSchema, nameSchema } from '#core/job.ts';

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

const summarySchema = z.strictObject({
  objects: count.describe('Objects that it is of.'),
  estimated: z.array(z.number().nonnegative()).describe('Expected objects per bin of `nz.edges`.'),
  spread: z.array(z.number().nonnegative()).describe('Standard deviation of each over the samples.'),
  meanRedshift: z.number().describe('Mean redshift of N(z), on the grid of p(z).'),
  meanRedshiftSpread: z.number().nonnegative().describe('Its standard deviation over the samples.'),
  meanShift: z.number().describe('Mean redshift less that of the true redshifts of the same objects.'),
  l1: z.number().nonnegative().describe('Sum of |estimated - true| over the bins, per object.'),
});

const binningSchema = z.strictObject({
  unassigned: count.describe('Objects in no bin.'),
  bins: z
    .array(
      z
        .strictObject({
          from: z.number().describe('Least z_mode of the bin: its edge, or of its objects.'),
          to: z.number().describe('Greatest z_mode of the bin: its edge, or of its objects.'),
          summary: summarySchema.describe('Naive stack of the objects of the bin.'),
          true: z.array(count).describe('True redshifts per bin of `nz.edges`.'),
          trueMeanRedshift: z.number().describe('Mean of the true redshifts of the objects of the bin.'),
          trueInside: z.number().min(0).max(1).describe('Share of true redshifts between `from` and `to`.'),
        })
        .nullable(),
    )
    .describe('Tomographic bins, the nearest first; null for fewer than 10 objects.'),
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
    summaries: z
      .strictObject({
        samples: z.int().positive().describe('Poisson bootstraps behind each spread; of varInf, draws.'),
        seed: count.describe('Seed of all of them.'),
        naiveStack: summarySchema.describe('Sum of all p(z). RAIL: NaiveStackSummarizer.'),
        pointEstHist: summarySchema.describe('Histogram of z_mode. RAIL: PointEstHistSummarizer.'),
        varInf: summarySchema.describe(
          'Variational inference of the bins from p(z) as likelihoods, of at most 10,000 objects evenly taken. RAIL: VarInfStackSummarizer.',
        ),
      })
      .optional()
      .describe('N(z) of all objects, by each of the summarizers of RAIL. Absent before 2026-11-28.'),
    tomography: z
      .strictObject({
        uniform: binningSchema.describe('Five bins of z_mode, 0.2 wide from 0.2 on. RAIL: UniformBinningClassifier.'),
        equalCount: binningSchema.describe('Five bins of as many objects each. RAIL: EqualCountClassifier.'),
      })
      .optional()
      .describe('N(z) per tomographic bin. Absent before 2026-11-28.'),
  })
  .describe('Evaluation of one algorithm on the held-out share of the training set.');
export type Evaluation = z.infer<typeof evaluationSchema>;
