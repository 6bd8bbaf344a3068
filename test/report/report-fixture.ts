import { sha256 } from '#core/digest.ts';
import type { Evaluation, ValidatedAlgorithm, ValidationReport } from '#core/report/validation-report.ts';

const PIT_BINS = 20;
const NZ_BINS = 30;
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
      edges: range(NZ_BINS + 1).map((index) => index / 10),
      estimated: range(NZ_BINS).map((bin) => 210 * Math.exp(-(((bin - 9) / 6) ** 2))),
      true: range(NZ_BINS).map((bin) => Math.round(200 * Math.exp(-(((bin - 8) / 6) ** 2)))),
      trueOutside: 2,
    },
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
