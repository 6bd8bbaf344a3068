import { type Html, html } from '#core/report/html.ts';
import { count, decimal, MISSING, percent } from '#core/report/numbers.ts';
import type { ValidatedAlgorithm } from '#core/report/validation-report.ts';

type Bins = NonNullable<ValidatedAlgorithm['evaluation']['bins']>;
type Metrics = NonNullable<Bins['magnitude']['metrics'][number]>;

/** Codes side by side, bin by bin: where each can be trusted. Nothing when no evaluation has bins. */
export function binnedTables(algorithms: readonly ValidatedAlgorithm[]): Html | null {
  if (algorithms.every(({ evaluation }) => evaluation.bins === undefined)) return null;
  return html`<h3>Bright or faint, near or far</h3>
<p>Outliers with |e| &gt; 0.15, and under them the scatter \u03c3<sub>MAD</sub>. Bins of fewer than 10 objects have no metrics.</p>
${table('By magnitude in the reference band', algorithms, 'magnitude')}
${table('By true redshift', algorithms, 'redshift')}`;
}

function table(caption: string, algorithms: readonly ValidatedAlgorithm[], by: keyof Bins): Html {
  const bins = algorithms.map(({ evaluation }) => new Map(binsFrom(evaluation.bins?.[by])));
  const ends = new Map(bins.flatMap((each) => [...each].map(([from, { to }]) => [from, to])));
  const froms = [...ends.keys()].sort((a, b) => a - b);
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table class="metrics">
<caption>${caption}</caption>
<thead><tr><th scope="col">Bin</th>${algorithms.map(({ algorithm }) => html`<th scope="col" class="number">${algorithm}</th>`)}</tr></thead>
<tbody>
${froms.map(
  (from) =>
    html`<tr><th scope="row">${decimal(from, 1)} to ${decimal(ends.get(from) ?? from, 1)}</th>${bins.map((each) => cell(each.get(from)))}</tr>
`,
)}</tbody></table></div>`;
}

interface Bin {
  readonly to: number;
  readonly rows: number;
  readonly metrics: Metrics | null;
}

function binsFrom(bins: Bins['magnitude'] | undefined): [from: number, Bin][] {
  return (bins?.rows ?? []).map((rows, bin) => {
    const [from, to] = [bins?.edges[bin] ?? 0, bins?.edges[bin + 1] ?? 0];
    return [from, { to, rows, metrics: bins?.metrics[bin] ?? null }];
  });
}

function cell(bin: Bin | undefined): Html {
  if (bin === undefined) return html`<td class="number missing">${MISSING}</td>`;
  const objects = html`<span class="meaning">${count(bin.rows)} objects</span>`;
  if (bin.metrics === null) return html`<td class="number missing">${MISSING}${objects}</td>`;
  const { outlier_share_015: outliers, sigma_mad: scatter } = bin.metrics;
  return html`<td class="number">${percent(outliers)}<br>${decimal(scatter, 4)}${objects}</td>`;
}
