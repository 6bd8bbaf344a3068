import type { Headline } from '#core/headline.ts';
import { compareKeyNumbers, meanDepth } from '#core/key-numbers.ts';
import { BANDS } from '#core/profile.ts';
import type { ReleaseReport } from '#core/report/release-summary.ts';

/** The few numbers of a report that the release's metadata keeps. */
export function headlineOf(report: ReleaseReport, at: string): Headline {
  const { summary, quarantined, flagged, shared, published } = report;
  const { extended, separated, tracts } = summary;
  const depths = BANDS.flatMap((band) => {
    const depth = meanDepth(summary, band);
    return depth === null ? [] : [[band, Number(depth.toFixed(3))] as const];
  });
  const compared = published ? compareKeyNumbers(published, summary) : [];
  return {
    at,
    chunks: summary.chunks,
    quarantined: quarantined.length,
    rows: summary.rows,
    keptRows: summary.keptRows,
    primary: summary.primary,
    tracts: tracts === null ? null : Object.keys(tracts).length,
    extendedFraction: extended !== null && separated ? Number((extended / separated).toFixed(4)) : null,
    depth: Object.fromEntries(depths),
    flagged: flagged.length,
    drifts: summary.drifts.length,
    sharedObjects: shared.reduce((sum, { objects }) => sum + objects, 0),
    keyNumbers: { compared: compared.length, differ: compared.filter(({ agrees }) => !agrees).length },
  };
}
