import { bars, chart, type Plot, step, steps } from '#core/report/chart-axes.ts';
import { type Html, html } from '#core/report/html.ts';
import { count, decimal } from '#core/report/numbers.ts';
import type { ValidatedAlgorithm } from '#core/report/validation-report.ts';

/** N(z): the stacked p(z) of the held-out objects against the histogram of their true redshifts. */
export function redshiftChart({ algorithm, evaluation }: ValidatedAlgorithm): Html {
  const { edges, estimated, true: truth, trueOutside } = evaluation.nz;
  const [from, to] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const plot: Plot = {
    from,
    to,
    top: step(Math.max(...estimated, ...truth)) * 4,
    xLabel: 'redshift',
    yLabel: 'objects',
    ticks: [0, 1, 2, 3, 4, 5, 6].map((index) => Number((from + ((to - from) * index) / 6).toFixed(2))),
  };
  const rows = truth.reduce((sum, each) => sum + each, 0);
  const mean = (values: readonly number[]) => decimal(meanRedshift(edges, values), 3);
  const outside = trueOutside > 0 ? ` ${count(trueOutside)} true redshifts lie beyond the grid.` : '';
  const description = `${count(rows)} true redshifts with a mean of ${mean(truth)}; the stacked p(z) has a mean of ${mean(estimated)}.${outside} The numbers follow below the chart.`;
  return html`<figure>
<h3>Redshift distribution N(z)</h3>
${chart(`${algorithm}-nz`, plot, `Redshift distribution by ${algorithm}`, description, html`${bars(plot, edges, truth)}${steps(plot, edges, estimated)}`)}
<p class="legend" aria-hidden="true"><span class="key bar-key"></span>true redshifts <span class="key steps-key"></span>stacked p(z)</p>
<figcaption>The sum of all p(z) against the histogram of the true redshifts. Mean redshift: ${mean(truth)} true, ${mean(estimated)} estimated.${outside}</figcaption>
</figure>`;
}

/** Of a histogram, with each bin at its middle; 0 for an empty one. */
function meanRedshift(edges: readonly number[], values: readonly number[]): number {
  const total = values.reduce((sum, each) => sum + each, 0);
  if (total === 0) return 0;
  const middles = values.map((_, bin) => ((edges[bin] ?? 0) + (edges[bin + 1] ?? 0)) / 2);
  return values.reduce((sum, each, bin) => sum + each * (middles[bin] ?? 0), 0) / total;
}
