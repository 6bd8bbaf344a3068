import { compareKeyNumbers } from '#core/key-numbers.ts';
import { BANDS } from '#core/profile.ts';
import { type Html, html } from '#core/report/html.ts';
import { count, decimal, figure, MISSING, percent } from '#core/report/numbers.ts';
import { PAGE_STYLE } from '#core/report/page-style.ts';
import { colourChart, densityMap, depthMap, errorChart, magnitudeChart } from '#core/report/release-charts.ts';
import type { ReleaseReport, ReleaseSummary } from '#core/report/release-summary.ts';

/** A person reads a page of a list, not all of it. */
const SHOWN = 200;

/** What a release holds, for its operator: one file, without scripts, that loads nothing. Equal reports give equal bytes. */
export function releasePage(report: ReleaseReport): string {
  const { title, summary } = report;
  const bands = BANDS.flatMap((band) => {
    const merged = summary.bands[band];
    return merged ? [html`${magnitudeChart(band, merged)}${errorChart(band, merged)}`] : [];
  });
  const colours = Object.entries(summary.colours).filter(([, histogram]) => Object.keys(histogram).length > 0);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Release: ${title}</title>
<style>${PAGE_STYLE}.heat{fill:var(--best)}</style>
</head>
<body>
<header>
<p class="kind">Report on a release, for its operator</p>
<h1>${title}</h1>
</header>
<main>
${keyNumbers(report)}
${publishedNumbers(report)}
${refused(report)}
${toLookAt(report)}
${bandTable(summary)}
<section>
<h2>On the sky</h2>
<div class="charts">${densityMap(summary)}${depthMap(summary)}</div>
</section>
<section>
<h2>Magnitudes, errors and colours</h2>
<p>As the skinny parts have them: after the recipe\u2019s cut, without extinction where the recipe takes it away.</p>
<div class="charts">${bands}${colours.map(([name, histogram]) => colourChart(name, histogram))}</div>
</section>
</main>
</body>
</html>
`.text;
}

function keyNumbers({ release, profile, recipe, expected, states, summary }: ReleaseReport): Html {
  const listed = (value: number | undefined) => (value === undefined ? 'there is no manifest yet' : count(value));
  const shares: readonly [string, number | null, number | null][] = [
    ['Primary', summary.primary, summary.rows],
    ['Extended', summary.extended, summary.separated],
  ];
  return html`<section>
<h2>Key numbers</h2>
<dl>
<dt>Release</dt><dd>${release}</dd>
<dt>Profile, recipe</dt><dd>${profile}, ${recipe}</dd>
<dt>Chunks by state</dt><dd>${Object.entries(states)
    .map(([state, chunks]) => `${count(chunks)} ${state}`)
    .join(', ')}</dd>
<dt>Chunks of the manifest</dt><dd>${listed(expected?.chunks)}</dd>
<dt>Rows of the manifest</dt><dd>${listed(expected?.rows)}</dd>
<dt>Rows of usable chunks</dt><dd>${count(summary.rows)}</dd>
<dt>Rows after the cut</dt><dd>${count(summary.keptRows)} (${percent(summary.rows > 0 ? summary.keptRows / summary.rows : 0)})</dd>
${summary.tracts === null ? null : html`<dt>Tracts</dt><dd>${count(Object.keys(summary.tracts).length)}</dd>`}
${shares.map(([name, part, whole]) =>
  part === null || !whole ? html`` : html`<dt>${name}</dt><dd>${percent(part / whole)} of ${count(whole)} rows</dd>`,
)}
</dl>
</section>`;
}

function publishedNumbers({ published, summary }: ReleaseReport): Html {
  if (!published) return html``;
  const rows = compareKeyNumbers(published, summary).map(
    ({ name, published: wanted, found, agrees, decimals }) => html`<tr><th scope="row">${name}</th>
<td class="number">${figure(wanted, decimals)}</td><td class="number">${found === null ? MISSING : figure(found, decimals)}</td>
<td>${agrees ? 'yes' : html`<strong>no</strong>`}</td></tr>`,
  );
  return html`<section>
<h2>Against the publisher</h2>
<div class="scroll"><table><caption>As published: ${published.source}</caption>
<thead><tr><th>Number</th><th class="number">Published</th><th class="number">Here</th><th>Agrees</th></tr></thead><tbody>${rows}</tbody></table></div>
</section>`;
}

function refused({ release, quarantined }: ReleaseReport): Html {
  if (quarantined.length === 0) return html`<section><h2>Quarantine</h2><p>No chunk is in quarantine.</p></section>`;
  const rows = quarantined.slice(0, SHOWN).map(
    ({ name, findings, decision }) => html`<tr><th scope="row">${name}</th>
<td>${findings.map(({ code, sentence }) => html`<code>${code}</code> ${sentence}<br>`)}</td>
<td>${decision ? `${decision.action} by ${decision.who}: ${decision.why}` : 'none yet'}</td></tr>`,
  );
  return html`<section>
<h2>Quarantine</h2>
<p class="notice"><strong>In quarantine: ${count(quarantined.length)}.</strong> Their rows are in none of the numbers below.
<code>ponte quarantine list ${release}</code> says what can be done.</p>
<div class="scroll"><table><thead><tr><th>Chunk</th><th>Why</th><th>Decision</th></tr></thead><tbody>${rows}</tbody></table></div>
${more(quarantined.length)}
</section>`;
}

function toLookAt(report: ReleaseReport): Html {
  const { flagged, summary, shared, noted } = report;
  const { drifts } = summary;
  const flags = flagged.flatMap(({ name, findings }) =>
    findings.map((finding) => [name, finding.code, finding.sentence]),
  );
  const drifting = drifts.map(({ name, band, depth, median }) => [
    name,
    'DEPTH_DRIFT',
    `in ${band} the depth is ${decimal(depth, 2)} mag; the median of the release\u2019s chunks is ${decimal(median, 2)}`,
  ]);
  const duplicates = shared.map(({ chunks, tracts, objects }) => [
    chunks.join(' and '),
    'ID_SHARED',
    `${count(objects)} objects are in both${tracts.some((tract) => tract !== null) ? `: tract ${tracts.map((tract) => tract ?? 'unknown').join(' and ')}` : ''}`,
  ]);
  const differing = (report.published ? compareKeyNumbers(report.published, summary) : [])
    .filter(({ agrees }) => !agrees)
    .map(({ name, published, found, decimals }) => [
      'the release',
      'KEY_NUMBER',
      `${name}: ${found === null ? 'not known' : figure(found, decimals)}, but the publisher says ${figure(published, decimals)}`,
    ]);
  const all = [
    ...differing,
    ...(noted.includes('ID_SHARED') ? [] : duplicates),
    ...(noted.includes('DEPTH_DRIFT') ? [] : drifting),
    ...flags,
  ];
  if (all.length === 0) return html`<section><h2>To look at</h2><p>Nothing stands out.</p></section>`;
  const rows = all
    .slice(0, SHOWN)
    .map(
      ([chunk = '', code = '', sentence = '']) =>
        html`<tr><th scope="row">${chunk}</th><td><code>${code}</code></td><td>${sentence}</td></tr>`,
    );
  return html`<section>
<h2>To look at</h2>
<p>These chunks are used. Pairs of chunks that share objects: ${count(duplicates.length)}. Depths unlike the others\u2019: ${count(drifting.length)}.
Checks that point at something: ${count(flags.length)}.
Key numbers that are not the publisher\u2019s: ${count(differing.length)}.</p>
<div class="scroll"><table><thead><tr><th>Chunk</th><th>What</th><th>In words</th></tr></thead><tbody>${rows}</tbody></table></div>
${more(all.length)}
</section>`;
}

const more = (lines: number): Html => (lines > SHOWN ? html`<p>... and ${count(lines - SHOWN)} more.</p>` : html``);

function bandTable({ bands, keptRows }: ReleaseSummary): Html {
  const share = (part: number, whole: number) => (whole > 0 ? percent(part / whole) : MISSING);
  const rows = BANDS.flatMap((band) => {
    const merged = bands[band];
    if (!merged) return [];
    const depth = merged.depthObjects > 0 ? decimal(merged.depthSum / merged.depthObjects, 2) : MISSING;
    return [
      html`<tr><th scope="row">${band}</th><td class="number">${count(merged.detected)}</td><td class="number">${share(merged.detected, keptRows)}</td>
<td class="number">${share(merged.empty, merged.rows)}</td><td class="number">${share(merged.notDetected, merged.rows)}</td><td class="number">${share(merged.errorUnusable, merged.rows)}</td><td class="number">${depth}</td></tr>`,
    ];
  });
  return html`<section>
<h2>Bands</h2>
<div class="scroll"><table><caption>Detected: after the cut. The rest, depth too: of the files, before it, with extinction.</caption>
<thead><tr><th>Band</th>${['Detected', 'Share', 'No number', 'Sentinel, or flux not positive', 'Error unusable', 'Depth (mag at 5 sigma)'].map((name) => html`<th class="number">${name}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>
</section>`;
}
