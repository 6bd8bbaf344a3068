import { type Html, html } from '#core/report/html.ts';
import { count, decimal, MISSING, percent } from '#core/report/numbers.ts';
import type { MetricName, ValidatedAlgorithm } from '#core/report/validation-report.ts';

interface Metric {
  readonly name: MetricName;
  readonly title: Html;
  /** What it measures, in the words of the field. */
  readonly meaning: Html;
  readonly show: (value: number) => string;
  /** How far a value is from perfect; null where algorithms cannot be compared by it. */
  readonly rank: ((value: number) => number) | null;
  readonly target: Target | null;
}

/** A requirement: values must stay below. */
interface Target {
  readonly below: number;
  readonly text: string;
}

const asIs = (value: number) => value;

/** The LSST targets, as DMTN-049 gives them for 0 < z < 2 and i < 25: sigma_z < 0.05 (1 + z), outliers < 10 %. */
const SCATTER_TARGET: Target = { below: 0.05, text: 'below 0.05' };
const OUTLIER_TARGET: Target = { below: 0.1, text: 'below 10 %' };

const METRICS: readonly Metric[] = [
  {
    name: 'bias',
    title: html`Bias`,
    meaning: html`Median of e = (z<sub>mode</sub> \u2212 z<sub>true</sub>) / (1 + z<sub>true</sub>).`,
    show: (value) => decimal(value, 4),
    rank: Math.abs,
    target: null,
  },
  {
    name: 'sigma_mad',
    title: html`Scatter \u03c3<sub>MAD</sub>`,
    meaning: html`1.4826 times the median of |e \u2212 median e|: the standard deviation, for a Gaussian, blind to outliers.`,
    show: (value) => decimal(value, 4),
    rank: asIs,
    target: SCATTER_TARGET,
  },
  {
    name: 'sigma_iqr',
    title: html`Scatter \u03c3<sub>IQR</sub>`,
    meaning: html`Interquartile range of e, divided by 1.349.`,
    show: (value) => decimal(value, 4),
    rank: asIs,
    target: SCATTER_TARGET,
  },
  {
    name: 'outlier_share_015',
    title: html`Outliers, |e| &gt; 0.15`,
    meaning: html`Share of objects beyond a fixed threshold: comparable between algorithms and surveys.`,
    show: (value) => percent(value),
    rank: asIs,
    target: OUTLIER_TARGET,
  },
  {
    name: 'outlier_rate_rail',
    title: html`Outliers, RAIL`,
    meaning: html`Share with |e| &gt; max(0.06, 3 \u03c3<sub>IQR</sub>). The threshold moves with the algorithm, so do not compare.`,
    show: (value) => percent(value),
    rank: null,
    target: null,
  },
  {
    name: 'cde_loss',
    title: html`CDE loss`,
    meaning: html`Loss of p(z) as a conditional density, up to a constant: the lower, the better.`,
    show: (value) => decimal(value, 2),
    rank: asIs,
    target: null,
  },
  {
    name: 'brier',
    title: html`Brier score`,
    meaning: html`Squared difference of p(z) on the grid from the true point, as qp defines it: not normalised, so only a guide.`,
    show: (value) => decimal(value, 1),
    rank: null,
    target: null,
  },
  {
    name: 'crps_mean',
    title: html`Mean CRPS`,
    meaning: html`Continuous ranked probability score, in redshift: how far p(z) as a whole lies from the truth.`,
    show: (value) => decimal(value, 4),
    rank: asIs,
    target: null,
  },
  {
    name: 'pit_ks',
    title: html`PIT, KS distance`,
    meaning: html`Largest distance of the PIT values from uniform (Kolmogorov-Smirnov): 0 is calibrated.`,
    show: (value) => decimal(value, 3),
    rank: asIs,
    target: null,
  },
  {
    name: 'pit_cvm',
    title: html`PIT, CvM statistic`,
    meaning: html`Cram\u00e9r-von Mises statistic of the PIT values: as the KS distance, over the whole range; grows with the sample.`,
    show: (value) => decimal(value, 2),
    rank: asIs,
    target: null,
  },
  {
    name: 'pit_ad',
    title: html`PIT, AD statistic`,
    meaning: html`Anderson-Darling statistic of the PIT values: as CvM, with more weight on the tails; grows with the sample.`,
    show: (value) => decimal(value, 2),
    rank: asIs,
    target: null,
  },
  {
    name: 'pit_outlier_rate',
    title: html`PIT outliers`,
    meaning: html`Share of PIT values below 0.0001 or above 0.9999: truths that p(z) all but ruled out.`,
    show: (value) => percent(value),
    rank: asIs,
    target: null,
  },
];

/** One row per metric, one column per algorithm; the best of a row is marked, and whether a target is met is said. */
export function metricTable(algorithms: readonly ValidatedAlgorithm[]): Html {
  const evaluations = algorithms.map(({ evaluation }) => evaluation);
  return html`<div class="scroll" role="region" aria-label="Metrics of all algorithms" tabindex="0"><table class="metrics">
<caption>Metrics on the held-out share. <b class="best">Marked</b>: the best of a row.</caption>
<thead><tr><th scope="col">Metric</th>${algorithms.map(({ algorithm }) => html`<th scope="col" class="number">${algorithm}</th>`)}<th scope="col">Target</th></tr></thead>
<tbody>
${METRICS.map((metric) => metricRow(metric, algorithms))}${countRow(
  html`Held-out objects`,
  html`Objects of the held-out share with a redshift.`,
  evaluations.map(({ rows }) => rows),
)}${countRow(
  html`Without estimate`,
  html`Of those, objects that got no estimate; the metrics leave them out.`,
  evaluations.map(({ rowsWithoutEstimate }) => rowsWithoutEstimate),
)}</tbody></table></div>`;
}

function metricRow(metric: Metric, algorithms: readonly ValidatedAlgorithm[]): Html {
  const { title, meaning, rank, target } = metric;
  const values = algorithms.map(({ evaluation }) => evaluation.metrics[metric.name] ?? null);
  const ranks = values.flatMap((value) => (value === null || rank === null ? [] : [rank(value)]));
  const best = ranks.length > 1 ? Math.min(...ranks) : null;
  const cells = values.map((value) =>
    value === null
      ? html`<td class="number missing">${MISSING}</td>`
      : html`<td class="number">${metricValue(metric, value, rank !== null && rank(value) === best)}${verdict(value, target)}</td>`,
  );
  return html`<tr>${rowHead(title, meaning)}${cells}<td>${target?.text ?? ''}</td></tr>
`;
}

function countRow(title: Html, meaning: Html, counts: readonly number[]): Html {
  return html`<tr>${rowHead(title, meaning)}${counts.map((each) => html`<td class="number">${count(each)}</td>`)}<td></td></tr>
`;
}

function rowHead(title: Html, meaning: Html): Html {
  return html`<th scope="row">${title}<span class="meaning">${meaning}</span></th>`;
}

function metricValue({ show }: Metric, value: number, isBest: boolean): Html {
  return isBest ? html`<b class="best">${show(value)}<span class="unseen"> (best)</span></b>` : html`${show(value)}`;
}

function verdict(value: number, target: Target | null): Html | null {
  if (target === null) return null;
  return value < target.below
    ? html`<br><span class="meets">meets it</span>`
    : html`<br><span class="misses">misses it</span>`;
}
