import { type Html, html } from '#core/report/html.ts';
import { count, decimal, MISSING, percent } from '#core/report/numbers.ts';
import type { ValidatedAlgorithm } from '#core/report/validation-report.ts';
import type { Binning, BinningName, Distribution, Summarizer } from '#core/summaries.ts';

const SUMMARIZERS: readonly (readonly [Summarizer, title: string, meaning: string])[] = [
  ['naive_stack', 'Naive stack', 'The sum of all p(z).'],
  ['point_estimate_histogram', 'Histogram of z_mode', 'One point estimate per object.'],
  [
    'var_inference',
    'Variational inference',
    'Its flat prior weighs as much as one object per grid point, so that small samples are pulled to the middle of the grid.',
  ],
];

/** How wrong the redshift distributions are, codes side by side. Nothing when no evaluation has them. */
export function summaryTables(algorithms: readonly ValidatedAlgorithm[]): Html | null {
  if (algorithms.every(({ evaluation }) => evaluation.summaries === undefined)) return null;
  return html`<h3>Redshift distributions, whole and in tomographic bins</h3>
<p>\u0394z is the mean of the estimated N(z) less the mean true redshift of the same objects, \u00b1 its spread over bootstraps.
L1 is the sum of |estimated \u2212 true| over bins 0.1 wide, per object: 0 is perfect, 2 is disjoint. All are made by RAIL.
Tomographic bins are cut in z_mode, and stacked; under \u0394z stands the share of objects whose true redshift lies in the bin.</p>
${table(
  'N(z) by summarizer',
  'Summarizer',
  algorithms,
  SUMMARIZERS.map(([name, title, meaning]) => ({
    title: html`${title}<span class="meaning">${meaning}</span>`,
    cells: algorithms.map(({ evaluation }) => summaryCell(evaluation.summaries?.summarizers[name])),
  })),
)}
${binningTable('Tomographic bins of fixed width', algorithms, 'uniform')}
${binningTable('Tomographic bins of equal count', algorithms, 'equal_count')}`;
}

function binningTable(caption: string, algorithms: readonly ValidatedAlgorithm[], name: BinningName): Html {
  const binnings = algorithms.map(({ evaluation }) => evaluation.tomography?.[name]);
  const bins = Math.max(0, ...binnings.map((each) => each?.bins.length ?? 0));
  const rows = Array.from({ length: bins }, (_, bin) => ({
    title: html`${bin + 1}`,
    cells: binnings.map((each) => binCell(each, bin)),
  }));
  return table(caption, 'Bin', algorithms, rows);
}

interface Row {
  readonly title: Html;
  readonly cells: readonly Html[];
}

function table(caption: string, head: string, algorithms: readonly ValidatedAlgorithm[], rows: readonly Row[]): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table class="metrics">
<caption>${caption}</caption>
<thead><tr><th scope="col">${head}</th>${algorithms.map(({ algorithm }) => html`<th scope="col" class="number">${algorithm}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ({ title, cells }) => html`<tr><th scope="row">${title}</th>${cells}</tr>
`,
)}</tbody></table></div>`;
}

const shift = ({ meanShift, meanSpread }: Distribution) => `${decimal(meanShift, 4)} \u00b1 ${decimal(meanSpread, 4)}`;

function summaryCell(found: Distribution | undefined): Html {
  if (found === undefined) return html`<td class="number missing">${MISSING}</td>`;
  return html`<td class="number">${shift(found)}<span class="meaning">L1 ${decimal(found.l1, 3)}</span></td>`;
}

function binCell(binning: Binning | undefined, index: number): Html {
  const bin = binning?.bins[index];
  if (binning === undefined || bin === undefined) return html`<td class="number missing">${MISSING}</td>`;
  const [from, to] = [binning.edges[index] ?? 0, binning.edges[index + 1] ?? 0];
  const where = html`<span class="meaning">${decimal(from, 2)} to ${decimal(to, 2)}, ${count(bin.rows)} objects</span>`;
  const inside = bin.inBin === null ? null : html`<br>${percent(bin.inBin)} inside`;
  if (bin.naive_stack === null)
    return html`<td class="number"><span class="missing">${MISSING}</span>${inside}${where}</td>`;
  return html`<td class="number">${shift(bin.naive_stack)}${inside}${where}</td>`;
}
