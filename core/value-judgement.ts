import { ruleFor, type ValueCheck } from '#core/checks.ts';
import type { Finding } from '#core/integrity.ts';
import type { Profile } from '#core/profile.ts';
import { type BandStatistics, PLAUSIBLE_MAGNITUDES, type ValueStatistics } from '#core/value-statistics.ts';

/** Below this many detections a correlation says nothing. */
const ENOUGH_DETECTIONS = 200;

/**
 * What the survey's checks say of a chunk's values. `waived`: checks of which a person said, for this very content, that
 * they shall not refuse it; they then only flag it.
 */
export function judgeValues(
  statistics: ValueStatistics,
  profile: Profile,
  waived: readonly string[] = [],
): readonly Finding[] {
  const findings: Finding[] = [];
  const { rows } = statistics;

  /** Adds a finding when `value` is beyond the check's limit. */
  const judge = (code: ValueCheck, value: number, at: Judged): void => {
    const { severity, limit } = ruleFor(code, profile.checks);
    const beyond = at.least ? value < limit : value > limit;
    if (!beyond) return;
    findings.push({
      code,
      sentence: `${at.sentence}; in order is ${at.least ? 'at least' : 'at most'} ${at.asShare ? percent(limit) : limit}`,
      severity: severity === 'refuse' && waived.includes(code) ? 'flag' : severity,
      numbers: { ...at.numbers, value: Number(value.toPrecision(6)), limit },
      where: at.where,
    });
  };
  /** The usual check: a count as a share of a whole. */
  const share = (code: ValueCheck, part: number, whole: number, what: string, where: string, least = false): void => {
    if (whole === 0) return;
    const sentence = `${percent(part / whole)} of ${whole} rows ${what}`;
    judge(code, part / whole, { sentence, where, least, asShare: true, numbers: { rows: part, of: whole } });
  };

  for (const [band, facts] of Object.entries(statistics.bands)) {
    share('BAND_EMPTY', facts.empty, rows, `have no number in ${band}`, band);
    share('BAND_NOT_DETECTED', facts.notDetected, rows, `are not detected in ${band}`, band);
    const used = facts.detected + facts.errorUnusable;
    share('ERROR_UNUSABLE', facts.errorUnusable, used, `with a value in ${band} have no usable error`, band);
    share('MAGNITUDE_RANGE', facts.outside, facts.detected, `detected in ${band} ${outsideText(facts)}`, band);
    if (facts.errorCorrelation !== null && facts.detected >= ENOUGH_DETECTIONS) {
      judge('ERROR_RELATION', facts.errorCorrelation, {
        sentence: `in ${band} errors do not grow with magnitude: their correlation is ${facts.errorCorrelation.toFixed(3)}`,
        where: band,
        least: true,
        asShare: false,
        numbers: { detected: facts.detected },
      });
    }
  }
  const { primary, separated, extended, withEbv } = statistics;
  if (primary !== null) share('NOT_PRIMARY', rows - primary, rows, 'are not primary', profile.primary ?? '');
  if (separated !== null && extended !== null && separated >= ENOUGH_DETECTIONS) {
    share('FEW_EXTENDED', extended, separated, 'are extended', profile.extendedness?.column ?? '', true);
  }
  if (withEbv !== null) share('EBV_UNUSABLE', rows - withEbv, rows, 'have no usable E(B-V)', profile.ebv ?? '');
  const bounds = statistics.tracts?.bounds ?? null;
  if (bounds) {
    const column = profile.tract?.column ?? '';
    const worst = bounds.worst === null ? '' : `, most of them in tract ${bounds.worst}`;
    const where = bounds.worst === null ? column : `${column} ${bounds.worst}`;
    const placed = rows - bounds.unknown;
    share('OUTSIDE_TRACT', bounds.outside, placed, `lie outside their tract\u2019s bounds${worst}`, where);
    share('TRACT_UNKNOWN', bounds.unknown, rows, 'name a tract without known bounds, or none', column);
  }
  return findings;
}

interface Judged {
  readonly sentence: string;
  readonly where: string;
  /** The limit is a lower one. */
  readonly least: boolean;
  readonly asShare: boolean;
  readonly numbers: Readonly<Record<string, number>>;
}

function outsideText({ brightest, faintest }: BandStatistics): string {
  const { from, to } = PLAUSIBLE_MAGNITUDES;
  return `are outside ${from} to ${to} mag (the range is ${brightest?.toFixed(2)} to ${faintest?.toFixed(2)})`;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
