import { binnedTables } from '#core/report/binned-table.ts';
import { calibrationChart } from '#core/report/calibration-chart.ts';
import { type Html, html } from '#core/report/html.ts';
import { metricTable } from '#core/report/metric-table.ts';
import { bytes, count, decimal, percent } from '#core/report/numbers.ts';
import { PAGE_STYLE } from '#core/report/page-style.ts';
import { redshiftChart } from '#core/report/redshift-chart.ts';
import { summaryTables } from '#core/report/summary-tables.ts';
import { tomographyCharts } from '#core/report/tomography-charts.ts';
import type { ValidatedAlgorithm, ValidationReport } from '#core/report/validation-report.ts';

/**
 * The page a coordinator reads before approving: one file, without scripts, that loads nothing. Equal reports give
 * equal bytes.
 */
export function validationPage(report: ValidationReport): string {
  const { title, algorithms } = report;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Validation: ${title}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<p class="kind">Validation report, for the photo-z coordinator</p>
<h1>${title}</h1>
</header>
<main>
${request(report)}
${decision(report)}
<section>
<h2>How good the estimates are</h2>
<p>Each algorithm was trained on the training set without its held-out share, and then estimated that share, whose redshifts are known.
The targets are those of LSST in DMTN-049: \u03c3<sub>z</sub> below 0.05 (1 + z) and fewer than 10 % outliers, for 0 &lt; z &lt; 2 and i &lt; 25.
The held-out share is not cut to that range, and stands for the catalogue only as far as the training set does.</p>
${metricTable(algorithms)}
${binnedTables(algorithms)}
${summaryTables(algorithms)}
</section>
${algorithms.map(algorithmSection)}
</main>
</body>
</html>
`;
  return page.text;
}

function request(report: ValidationReport): Html {
  const { campaign, release, planDigest, chunks, quarantinedChunks, rows, heldOut, trainingSet, algorithms } = report;
  const names = algorithms.map(({ algorithm }) => algorithm).join(', ');
  const refused =
    quarantinedChunks === 0
      ? null
      : html`<p class="notice"><strong>In quarantine: ${count(quarantinedChunks)} of ${count(chunks + quarantinedChunks)} chunks.</strong>
Their objects will be missing from the table. <code>ponte chunks ${release} --state quarantined</code> shows why. If they are mended first, another campaign follows by itself.</p>`;
  return html`<section>
<h2>What is asked</h2>
<p>To estimate the photometric redshifts of <strong>${count(rows)} objects</strong> with ${names}, and to deliver them as one table.</p>
${refused}
<dl>
<dt>Release</dt><dd>${release}</dd>
<dt>Campaign</dt><dd>${campaign}</dd>
<dt>Chunks</dt><dd>${count(chunks)} usable, ${count(quarantinedChunks)} in quarantine</dd>
<dt>Objects</dt><dd>${count(rows)}</dd>
<dt>Plan</dt><dd><code>${planDigest}</code></dd>
<dt>Training set</dt><dd><code>${trainingSet.key}</code>, ${bytes(trainingSet.sizeBytes)}</dd>
<dt>Held out</dt><dd>${percent(heldOut.fraction)} of the training set, the same objects for every algorithm (seed ${heldOut.seed})</dd>
</dl>
</section>`;
}

function decision({ campaign }: ValidationReport): Html {
  return html`<section>
<h2>Your decision</h2>
<p>It is recorded under the identity that signs the command, and is bound to this plan and to this report: if either changes, it has to be
given again. The report\u2019s digest cannot stand in the report itself. Take it from</p>
<pre>ponte campaign watch ${campaign}</pre>
<p>and put it in place of <code>&lt;digest&gt;</code>, the digest of <code>validation.json</code> or its first 8 digits or more:</p>
<pre>ponte approve ${campaign} --report &lt;digest&gt;
ponte approve ${campaign} --report &lt;digest&gt; --reject --comment &quot;why&quot;</pre>
</section>`;
}

function algorithmSection(validated: ValidatedAlgorithm): Html {
  const { algorithm, model, evaluation } = validated;
  const { pit, nz, configurationDigest } = evaluation;
  return html`<section>
<h2>${algorithm}</h2>
<div class="charts">
${calibrationChart(validated)}
${redshiftChart(validated)}
${tomographyCharts(validated)}</div>
<details><summary>The numbers of the first two charts</summary>
<div class="charts">
${binTable(`PIT values of ${algorithm}`, ['from', 'to', 'objects'], pit.edges, [pit.counts.map(count)], 2)}
${binTable(`Redshift distribution by ${algorithm}`, ['from', 'to', 'true', 'stacked p(z)'], nz.edges, [nz.true.map(count), nz.estimated.map((each) => decimal(each, 1))], 2)}
</div>
</details>
<dl>
<dt>Model</dt><dd><code>${model.key}</code>, ${bytes(model.sizeBytes)}</dd>
<dt>Model digest</dt><dd><code>${model.sha256}</code></dd>
<dt>Configuration</dt><dd><code>${configurationDigest}</code></dd>
</dl>
</section>
`;
}

function binTable(
  caption: string,
  head: readonly string[],
  edges: readonly number[],
  columns: readonly (readonly string[])[],
  decimals: number,
): Html {
  const bins = edges.slice(0, -1).map((edge, bin) => {
    const cells = [decimal(edges[bin + 1] ?? edge, decimals), ...columns.map((column) => column[bin] ?? '')];
    return html`<tr><th scope="row" class="number">${decimal(edge, decimals)}</th>${cells.map((cell) => html`<td class="number">${cell}</td>`)}</tr>
`;
  });
  return html`<table><caption>${caption}</caption>
<thead><tr>${head.map((name) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead>
<tbody>
${bins}</tbody></table>`;
}
