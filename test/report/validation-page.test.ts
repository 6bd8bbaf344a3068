import { describe, expect, test } from 'vitest';
import { validationPage } from '#core/report/validation-page.ts';
import { makeAlgorithm, makeEvaluation, makeReport } from '#test/report/report-fixture.ts';

/** The row of a metric, from its title to its end. */
const rowOf = (page: string, title: string) =>
  page.slice(page.indexOf(`<th scope="row">${title}`)).split('</tr>')[0] ?? '';

describe('the page', () => {
  test('loads nothing and runs nothing', () => {
    const page = validationPage(makeReport());

    expect(page).not.toMatch(/<script|<link|<img|<iframe|\bsrc=|\bhref=|url\(|@import|\bon[a-z]+=|https?:/i);
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });

  test('escapes every text of the report', () => {
    const evil = `"><script>alert('x')</script>&`;
    const safe = '&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;';
    const algorithm = { ...makeAlgorithm('bpz'), algorithm: evil };
    const trainingSet = { ...makeReport().trainingSet, key: evil };

    const page = validationPage(
      makeReport({ title: evil, campaign: evil, release: evil, trainingSet, algorithms: [algorithm] }),
    );

    expect(page).not.toContain('<script');
    expect(page.split(safe).length - 1).toBeGreaterThanOrEqual(8);
  });

  test('says what is asked, and the exact commands', () => {
    const report = makeReport();

    const page = validationPage(report);

    for (const text of ['17,041 objects', 'bpz, fzboost', report.planDigest, report.trainingSet.key, '20.0 %']) {
      expect(page).toContain(text);
    }
    expect(page).toContain('ponte campaign watch dc2-demo.photoz.d91acca354');
    expect(page).toContain('ponte approve dc2-demo.photoz.d91acca354 --report &lt;digest&gt;');
    for (const { model, evaluation } of report.algorithms) {
      expect(page).toContain(model.sha256);
      expect(page).toContain(evaluation.configurationDigest);
    }
  });

  test('warns of chunks in quarantine, and only of such', () => {
    expect(validationPage(makeReport())).toContain('In quarantine: 1 of 6 chunks');
    expect(validationPage(makeReport({ quarantinedChunks: 0 }))).not.toContain('class="notice"');
  });

  test('is the same for equal reports', () => {
    expect(validationPage(makeReport())).toBe(validationPage(makeReport()));
  });
});

describe('the comparison', () => {
  test('marks the best of a row, by distance from zero where both signs occur', () => {
    const page = validationPage(makeReport());

    expect(rowOf(page, 'Bias')).toContain('\u22120.0316</td>');
    expect(rowOf(page, 'Bias')).toContain('<b class="best">\u22120.0004');
  });

  test('shows codes side by side per bin, and says where one has no metrics or no bins', () => {
    const { bins: _bins, ...unbinned } = makeEvaluation('old');
    const old = { ...makeAlgorithm('old'), evaluation: unbinned };
    const page = validationPage(makeReport({ algorithms: [makeAlgorithm('bpz'), old] }));

    expect(rowOf(page, '22.0 to 23.0')).toMatch(/17\.3 %<br>0\.0500.*994 objects.*not computed/);
    expect(rowOf(page, '23.0 to 24.0')).toMatch(/not computed.*3 objects/);
    expect(rowOf(page, '0.5 to 1.0')).toContain('5.2 %');
    expect(validationPage(makeReport({ algorithms: [old] }))).not.toContain('By true redshift');
  });

  test('marks nothing where algorithms cannot be compared, or where there is only one', () => {
    const alone = validationPage(makeReport({ algorithms: [makeAlgorithm('bpz')] }));

    expect(rowOf(validationPage(makeReport()), 'Outliers, RAIL')).not.toContain('class="best"');
    expect(rowOf(alone, 'Bias')).not.toContain('class="best"');
  });

  test('says of each value whether it meets the target', () => {
    const scatter = rowOf(validationPage(makeReport()), 'Scatter \u03c3<sub>MAD</sub>');

    expect(scatter).toMatch(/0\.0542<br><span class="misses">.*0\.0199.*<span class="meets">.*below 0\.05/);
  });

  test('says that a metric is missing, and compares the others', () => {
    const { bias: _bias, ...metrics } = makeEvaluation('bpz').metrics;
    const algorithms = [
      makeAlgorithm('bpz', { metrics: { ...metrics, cde_loss: null } }),
      makeAlgorithm('fzboost'),
      makeAlgorithm('gpz'),
    ];

    const page = validationPage(makeReport({ algorithms }));

    expect(rowOf(page, 'Bias')).toContain('not computed');
    expect(rowOf(page, 'CDE loss')).toContain('not computed');
    expect(rowOf(page, 'CDE loss')).toContain('class="best"');
  });
});

describe('the charts', () => {
  test('have as many bars as bins, a title and a description', () => {
    const [bpz] = makeReport().algorithms;
    const page = validationPage(makeReport({ algorithms: bpz ? [bpz] : [] }));
    const ids = [...page.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);

    expect(page.match(/<rect class="bar"/g)).toHaveLength(20 + 30 + 10 * 30);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, references] of page.matchAll(/aria-labelledby="([^"]+)"/g)) {
      for (const id of references?.split(' ') ?? []) expect(ids).toContain(id);
    }
  });

  test('draw bars of the height of their counts', () => {
    const pit = { edges: [0, 0.5, 1], counts: [50, 100] };
    const page = validationPage(makeReport({ algorithms: [makeAlgorithm('bpz', { pit })] }));
    const heights = [...page.matchAll(/<rect class="bar"[^>]* height="([^"]+)"/g)].map(([, height]) => Number(height));

    expect(heights[1]).toBeCloseTo(2 * (heights[0] ?? 0), 0);
  });

  test('of nothing are empty, not broken', () => {
    const none = {
      rows: 0,
      pit: { edges: [0, 1], counts: [0] },
      nz: { edges: [0, 3], estimated: [0], true: [0], trueOutside: 0 },
    };

    const page = validationPage(makeReport({ algorithms: [makeAlgorithm('bpz', none)] }));

    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('compares redshift distributions, whole and in tomographic bins', () => {
    const { summaries: _, tomography: __, ...old } = makeEvaluation('old');
    const report = makeReport();
    const page = validationPage({
      ...report,
      algorithms: [...report.algorithms, { ...makeAlgorithm('old'), evaluation: old }],
    });

    expect(rowOf(page, 'Naive stack')).toContain('0.0211 \u00b1 0.0123<span class="meaning">L1 0.125</span>');
    expect(rowOf(page, 'Histogram of z_mode')).toContain('\u22120.0042 \u00b1 0.0123');
    expect(rowOf(page, 'Variational inference')).toContain('0.0752');
    expect(rowOf(page, 'Naive stack')).toContain('not computed');
    const fixed = page.slice(page.indexOf('<caption>Tomographic bins of fixed width'));
    expect(rowOf(fixed, '2')).toContain('0.0202 \u00b1 0.0123<br>71.0 % inside');
    expect(rowOf(fixed, '2')).toContain('0.40 to 0.60, 400 objects');
    expect(rowOf(fixed, '5')).toContain('not computed</span><br>71.0 % inside');
    expect(page).toContain('<title id="bpz-equal-count-title">Tomographic bins of equal count by bpz</title>');
    expect(page).not.toContain('id="old-uniform-title"');
  });

  test('leaves the comparison out when no evaluation has it', () => {
    const { summaries: _, tomography: __, ...old } = makeEvaluation('old');

    const page = validationPage(makeReport({ algorithms: [{ ...makeAlgorithm('old'), evaluation: old }] }));

    expect(page).not.toContain('Tomographic');
  });
});
