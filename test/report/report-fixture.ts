import { sha256 } from '#core/digest.ts';
import type { Evaluation, ValidatedAlgorithm, ValidationReport } from '#core/report/validation-report.ts';

const PIT_BINS = 20;
const NZ_BINS = 30;
type Summaries = NonNullable<Evaluation['summaries']>;
type Tomography = NonNullable<Evaluation['tomography']>;
const range = (length: number) => Array.from({ length }, (_, index) => index);

/** Four bins from `first`, the last with too few objects for metrics. */
function makeBins(first: number, width: number): NonNullable<Evaluation['bins']>['magnitude'] {
  const metrics = { bias: -0.03, sigma_mad: 0.05, sigma_iqr: 0.05, cde_loss: -1.9, crps_mean: 0.09 };
  return {
    edges: range(5).map((index) => first + index * width),
    rows: [300, 700, 994, 3],
    metrics: [0.011, 0.052, 0.173, null].map((share) =>
      share === null ? null : { ...metrics, outlier_share_015: share },
    ),
  };
}

const NZ_EDGES = range(NZ_BINS + 1).map((index) => index / 10);
const bell = (height: number, middle: number, width: number) =>
  range(NZ_BINS).map((bin) => height * Math.exp(-(((bin - middle) / width) ** 2)));

function makeDistribution(estimated: number[], mean: number, meanShift: number) {
  const spread = estimated.map(Math.sqrt);
  return { estimated, spread, mean, meanSpread: 0.0123, meanShift, l1: 0.125 };
}

function makeSummaries(): Summaries {
  const [naive, histogram, inferred] = [0.0211, -0.0042, 0.0752].map((shift) =>
    makeDistribution(bell(210, 9, 6), 0.9 + shift, shift),
  );
  if (!naive || !histogram || !inferred) throw new Error('three shifts were given');
  return {
    edges: NZ_EDGES,
    samples: 20,
    meanTrue: 0.9,
    summarizers: { naive_stack: naive, point_estimate_histogram: histogram, var_inference: inferred },
  };
}

/** Five bins, the last of which has too few objects for a stack. */
function makeTomography(): Tomography {
  const makeBinning = (edges: number[]): Tomography['uniform'] => ({
    edges,
    rowsOutside: 17,
    bins: range(5).map((index) => {
      const middle = ((edges[index] ?? 0) + (edges[index + 1] ?? 0)) * 5;
      const stack = makeDistribution(bell(110, middle + 0.5, 2), middle / 10, 0.0101 * (index + 1));
      const few = index === 4;
      return {
        rows: few ? 7 : 400,
        true: bell(few ? 2 : 130, middle, 1.7).map(Math.round),
        meanTrue: middle / 10,
        inBin: 0.71,
        naive_stack: few ? null : stack,
      };
    }),
  });
  return {
    nzEdges: NZ_EDGES,
    uniform: makeBinning([0.2, 0.4, 0.6, 0.8, 1, 1.2]),
    equal_count: makeBinning([0.02, 0.46, 0.68, 0.93, 1.28, 2.9]),
  };
}

/** An evaluation of 2,000 objects: PIT values in a U, a redshift distribution with a tail. */
export function makeEvaluation(algorithm: string, changes: Partial<Evaluation> = {}): Evaluation {
  return {
    version: 1,
    algorithm,
    configurationDigest: sha256(`configuration of ${algorithm}`),
    rows: 2000,
    rowsWithoutEstimate: 3,
    pointEstimate: 'z_mode',
    metrics: {
      bias: -0.0316,
      sigma_mad: 0.0542,
      sigma_iqr: 0.0549,
      outlier_rate_rail: 0.083,
      outlier_share_015: 0.094,
      cde_loss: -1.88,
      brier: 512.4,
      pit_ks: 0.224,
      pit_cvm: 48.9,
      pit_ad: 210.3,
      pit_outlier_rate: 0.051,
      crps_mean: 0.0945,
    },
    bins: { magnitude: makeBins(20, 1), redshift: makeBins(0, 0.5) },
    pit: {
      edges: range(PIT_BINS + 1).map((index) => index / PIT_BINS),
      counts: range(PIT_BINS).map((bin) => 60 + Math.round(((bin - 9.5) / 9.5) ** 2 * 110)),
    },
    nz: {
      edges: NZ_EDGES,
      estimated: range(NZ_BINS).map((bin) => 210 * Math.exp(-(((bin - 9) / 6) ** 2))),
      true: range(NZ_BINS).map((bin) => Math.round(200 * Math.exp(-(((bin - 8) / 6) ** 2)))),
      trueOutside: 2,
    },
    summaries: makeSummaries(),
    tomography: makeTomography(),
    ...changes,
  };
}

export function makeAlgorithm(algorithm: string, changes: Partial<Evaluation> = {}): ValidatedAlgorithm {
  const key = `work/inform/00/${sha256(algorithm)}/model.pkl`;
  return {
    algorithm,
    model: { key, sha256: sha256(`model of ${algorithm}`), sizeBytes: 38_123_456 },
    evaluation: makeEvaluation(algorithm, changes),
  };
}

export function makeReport(changes: Partial<ValidationReport> = {}): ValidationReport {
  return {
    version: 1,
    campaign: 'dc2-demo.photoz.d91acca354',
    release: 'dc2-demo',
    title: 'A release for tests',
    planDigest: sha256('plan'),
    chunks: 5,
    quarantinedChunks: 1,
    rows: 17_041,
    heldOut: { fraction: 0.2, seed: 7 },
    trainingSet: { key: 'training/00.parquet', sha256: sha256('training'), sizeBytes: 619_700 },
    algorithms: [
      makeAlgorithm('bpz'),
      makeAlgorithm('fzboost', {
        metrics: { ...makeEvaluation('').metrics, bias: -0.0004, sigma_mad: 0.0199, outlier_share_015: 0.032 },
      }),
    ],
    ...changes,
  };
}
