import { z } from 'zod';

const count = z.int().nonnegative();
const edges = z.array(z.number()).min(2).describe('Bin edges, ascending: one more than there are bins.');

const distributionSchema = z.strictObject({
  estimated: z.array(z.number().nonnegative()).describe('Expected objects per bin.'),
  spread: z.array(z.number().nonnegative()).describe('Standard deviation of each over the samples.'),
  mean: z.number().describe('Mean redshift of the distribution.'),
  meanSpread: z.number().nonnegative().describe('Standard deviation of the mean over the samples.'),
  meanShift: z.number().describe('The mean less the mean true redshift of the same objects: delta z.'),
  l1: z
    .number()
    .min(0)
    .describe('Sum over bins of |estimated - true|, and the true redshifts beyond the bins, per object: from 0 to 2.'),
});
export type Distribution = z.infer<typeof distributionSchema>;

/** N(z) of the held-out sample by RAIL's summarizers, side by side. */
export const summariesSchema = z.strictObject({
  edges,
  samples: z.int().positive().describe('Bootstraps, or draws for var inference, behind each spread.'),
  meanTrue: z.number().describe('Mean true redshift.'),
  summarizers: z.strictObject({
    naive_stack: distributionSchema.describe('Sum of all p(z). RAIL: NaiveStackSummarizer.'),
    point_estimate_histogram: distributionSchema.describe('Histogram of z_mode. RAIL: PointEstHistSummarizer.'),
    var_inference: distributionSchema.describe(
      'Variational inference, 20 iterations, for likelihoods as of template codes. Its flat prior weighs one object per grid point. RAIL: VarInfStackSummarizer.',
    ),
  }),
});
export type Summarizer = keyof z.infer<typeof summariesSchema>['summarizers'];

const binningSchema = z.strictObject({
  edges: z.array(z.number()).min(2).describe('Edges in z_mode; bins are closed on the left.'),
  rowsOutside: count.describe('Evaluated objects in no bin.'),
  bins: z.array(
    z.strictObject({
      rows: count.describe('Evaluated objects in the bin.'),
      true: z.array(count).describe('True redshifts between each two of nzEdges.'),
      meanTrue: z.number().nullable().describe('Mean true redshift; null for an empty bin.'),
      inBin: z
        .number()
        .min(0)
        .max(1)
        .nullable()
        .describe('Share of the objects whose true redshift lies in the bin; null for an empty bin.'),
      naive_stack: distributionSchema
        .nullable()
        .describe('Sum of the p(z) in the bin; null for fewer than 10. RAIL: NaiveStackMaskedSummarizer.'),
    }),
  ),
});
export type Binning = z.infer<typeof binningSchema>;

/** The held-out sample in tomographic bins by z_mode. */
export const tomographySchema = z.strictObject({
  nzEdges: edges.describe('Edges of the bins in which N(z) is given.'),
  uniform: binningSchema.describe('Five bins 0.2 wide from 0.2 to 1.2. RAIL: UniformBinningClassifier.'),
  equal_count: binningSchema.describe(
    'Five bins of equally many objects; equal z_mode may lie on both sides of an edge. RAIL: EqualCountClassifier.',
  ),
});
export type BinningName = 'uniform' | 'equal_count';
