import { bars, chart, type Plot, step, x, y } from '#core/report/chart-axes.ts';
import { type Html, html } from '#core/report/html.ts';
import { count, decimal } from '#core/report/numbers.ts';
import type { ValidatedAlgorithm } from '#core/report/validation-report.ts';

/** How far counting alone scatters a bin: this many binomial standard deviations are shaded. */
const BAND = 2;

/** The PIT histogram against the flat one of a calibrated p(z). */
export function calibrationChart({ algorithm, evaluation }: ValidatedAlgorithm): Html {
  const { edges, counts } = evaluation.pit;
  const rows = counts.reduce((sum, each) => sum + each, 0);
  const share = 1 / counts.length;
  const expected = rows * share;
  const scatter = BAND * Math.sqrt(rows * share * (1 - share));
  const highest = Math.max(...counts, expected + scatter);
  const plot: Plot = {
    from: 0,
    to: 1,
    top: step(highest) * 4,
    xLabel: 'PIT value',
    yLabel: 'objects',
    ticks: [0, 0.25, 0.5, 0.75, 1],
  };
  const band = y(plot, Math.max(expected - scatter, 0)) - y(plot, expected + scatter);
  const width = x(plot, 1) - x(plot, 0);
  const marks = html`${bars(plot, edges, counts)}<rect class="band" x="${x(plot, 0)}" y="${y(plot, expected + scatter)}" width="${width}" height="${band}"/>
<line class="expected" x1="${x(plot, 0)}" x2="${x(plot, 1)}" y1="${y(plot, expected)}" y2="${y(plot, expected)}"/>
`;
  const description = `Histogram of ${count(rows)} values in ${counts.length} bins, from ${count(Math.min(...counts))} to ${count(Math.max(...counts))} objects per bin; a calibrated p(z) has ${decimal(expected, 1)} in each. The numbers follow below the chart.`;
  return html`<figure>
<h3>Calibration of p(z)</h3>
${chart(`${algorithm}-pit`, plot, `PIT histogram of ${algorithm}`, description, marks)}
<p class="legend" aria-hidden="true"><span class="key bar-key"></span>objects <span class="key expected-key"></span>calibrated <span class="key band-key"></span>\u00b1 ${BAND} standard deviations of counting</p>
<figcaption>Where the true redshift lies in each object\u2019s cumulated p(z). Flat is calibrated. High at both ends: p(z) is too narrow. High in the middle: too wide. A slope: biased.</figcaption>
</figure>`;
}
