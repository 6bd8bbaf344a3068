import { bars, chart, type Plot, step, steps } from '#core/report/chart-axes.ts';
import { type Html, html } from '#core/report/html.ts';
import { decimal } from '#core/report/numbers.ts';
import type { ValidatedAlgorithm } from '#core/report/validation-report.ts';
import type { Binning } from '#core/summaries.ts';

/** One chart per binning: N(z) of each tomographic bin, stacked against true. Nothing without tomography. */
export function tomographyCharts({ algorithm, evaluation: { tomography } }: ValidatedAlgorithm): Html | null {
  if (tomography === undefined) return null;
  const { nzEdges, uniform, equal_count } = tomography;
  return html`${binningChart(algorithm, 'uniform', 'Tomographic bins of fixed width', nzEdges, uniform)}
${binningChart(algorithm, 'equal-count', 'Tomographic bins of equal count', nzEdges, equal_count)}
`;
}

function binningChart(algorithm: string, id: string, title: string, edges: readonly number[], binning: Binning): Html {
  const { bins } = binning;
  const [from, to] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const plot: Plot = {
    from,
    to,
    top: step(Math.max(...bins.flatMap((bin) => [...bin.true, ...(bin.naive_stack?.estimated ?? [])]))) * 4,
    xLabel: 'redshift',
    yLabel: 'objects',
    ticks: [0, 1, 2, 3, 4, 5, 6].map((index) => Number((from + ((to - from) * index) / 6).toFixed(2))),
  };
  const shifts = bins.map(({ naive_stack }) => (naive_stack === null ? 'none' : decimal(naive_stack.meanShift, 3)));
  const cuts = binning.edges.map((edge) => decimal(edge, 2)).join(', ');
  const description = `Edges in z_mode: ${cuts}. Mean redshift of the stack less the true one, bin by bin: ${shifts.join(', ')}.`;
  const marks = html`<g class="overlaid">${bins.map((bin) => html`${bars(plot, edges, bin.true)}`)}
${bins.map((bin) => (bin.naive_stack === null ? html`` : steps(plot, edges, bin.naive_stack.estimated)))}</g>`;
  return html`<figure>
<h3>${title}</h3>
${chart(`${algorithm}-${id}`, plot, `${title} by ${algorithm}`, description, marks)}
<p class="legend" aria-hidden="true"><span class="key bar-key"></span>true redshifts, bin upon bin <span class="key steps-key"></span>stacked p(z) of each bin</p>
<figcaption>${description}</figcaption>
</figure>`;
}
