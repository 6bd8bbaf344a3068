/** One measured unit: what it holds (rows) and what it took. */
export interface Sample {
  readonly rows: number;
  readonly cost: number;
}

export interface Interval {
  readonly mean: number;
  /** Both ends at 95 %. */
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % quantile of Student's t: exact to 3 digits up to 4 degrees of freedom, then Cornish and Fisher's series. */
export function studentT(degrees: number): number {
  const exact = [Number.POSITIVE_INFINITY, 12.706, 4.303, 3.182, 2.776];
  const known = exact[degrees];
  if (known !== undefined) return known;
  const z = 1.959964;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((sum, term, index) => sum + term / degrees ** (index + 1), z);
}

/**
 * The total of `units` units with `rows` rows, from a sample: the ratio estimator, cost per row times all rows (Cochran,
 * Sampling Techniques, 3rd ed., 6.4), because a unit's rows are known beforehand and its cost goes with them.
 *
 * `within`: the sample was drawn from these very units, so what is measured is certain and only the rest varies:
 * N^2 (1 - k/N) s^2 / k. Otherwise the new units vary on their own as well: N^2 s^2 / k + N s^2. s^2 is of the residuals.
 * With fewer than two samples nothing is known about the spread, and the interval has no upper end.
 */
export function estimateTotal(
  samples: readonly Sample[],
  population: { readonly units: number; readonly rows: number },
  within: boolean,
): Interval {
  const k = samples.length;
  const rows = samples.reduce((sum, sample) => sum + sample.rows, 0);
  const perRow = samples.reduce((sum, sample) => sum + sample.cost, 0) / rows;
  const mean = perRow * population.rows;
  if (k < 2) return { mean, low: 0, high: Number.POSITIVE_INFINITY };
  const squares = samples.reduce((sum, sample) => sum + (sample.cost - perRow * sample.rows) ** 2, 0) / (k - 1);
  const n = population.units;
  // The sample's units may be larger or smaller than the population's.
  const scale = (population.rows / n / (rows / k)) ** 2;
  const variance = within
    ? n ** 2 * Math.max(0, 1 - k / n) * (squares / k) * scale
    : (n ** 2 / k + n) * squares * scale;
  const half = studentT(k - 1) * Math.sqrt(variance);
  return { mean, low: Math.max(0, mean - half), high: mean + half };
}
