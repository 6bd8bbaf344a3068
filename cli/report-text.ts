import { furtherText } from '#cli/further-text.ts';
import type { CampaignReport } from '#cli/operations/campaign-report.ts';
import { table } from '#cli/output.ts';
import { amountText } from '#core/amount.ts';

/** A campaign's report on one screen. */
export function reportText(report: CampaignReport): string {
  const { campaign, chunks, rows, stages, ledger, controlPlane } = report;
  const quarantined = chunks.quarantined.map(
    (chunk) => `  ${chunk.name}: ${chunk.codes.join(', ')}: ${chunk.sentence}`,
  );
  return [
    `campaign ${campaign.campaign}: ${campaign.state}`,
    ...(campaign.failure ? [`  reason: ${campaign.failure}`] : []),
    `chunks: ${chunks.skinny} usable, ${chunks.quarantined.length} in quarantine, ${chunks.superseded} superseded`,
    ...quarantined,
    `rows: ${rows.expected} in the plan, ${rows.delivered} delivered in ${campaign.catalogue?.partitions ?? 0} partitions`,
    ...report.further.map((each) => `further destination ${furtherText(each)}`),
    `approved by: ${report.approvedBy ?? 'nobody yet'}`,
    ...report.degraded.map(({ at, reason }) => `did less from ${at} on: ${reason}`),
    '',
    table(
      ['stage', 'seconds'],
      stages.map(({ stage, seconds }) => [stage, Number(seconds.toFixed(1))]),
    ),
    '',
    ...spendingLines(report),
    '',
    `core-seconds used: ${ledger.coreSecondsSpent} (${ledger.coreSecondsAvailable} left of the cap)`,
    `control plane on AWS: ${(controlPlane.microUsd / 1e6).toFixed(4)} USD at the prices of ${controlPlane.pricesOf} in ${controlPlane.region}, without storage and egress`,
  ].join('\n');
}

/** Expected against actual per stage, and where the money went. */
function spendingLines({ spending, quarantinedMicroUsd, estimates }: CampaignReport): readonly string[] {
  const { stages, byOutcome, bySite, reused } = spending;
  const hours = (seconds: number) => (seconds / 3600).toFixed(3);
  return [
    table(
      ['stage', 'algorithm', 'attempts', 'expected core-hours', 'at most', 'actual', 'inside'],
      stages.map(({ kind, algorithm, attempts, expected, reserved, actual, inside }) => [
        ...[kind, algorithm, attempts, hours(expected.coreSeconds), hours(reserved.coreSeconds)],
        ...[hours(actual.coreSeconds), inside ? 'yes' : 'NO'],
      ]),
    ),
    '',
    ...(estimates.length > 0 ? [estimateLines(estimates), ''] : []),
    table(
      ['site', 'core-hours'],
      Object.entries(bySite).map(([site, seconds]) => [site, hours(seconds)]),
    ),
    '',
    table(
      ['outcome', 'charged'],
      [
        ['succeeded', amountText(byOutcome.succeeded)],
        ['failed', amountText(byOutcome.failed)],
        ['expired, not proven lower', amountText(byOutcome.expired)],
        ['quarantined', `${(quarantinedMicroUsd / 1e6).toFixed(4)} USD for looking`],
        ['reused', `${reused.jobs} jobs, ${hours(reused.coreSeconds)} core-hours not spent again`],
      ],
    ),
  ];
}

/** The estimate that the campaign began with, in each currency, and whether what it took lies inside. */
function estimateLines(estimates: CampaignReport['estimates']): string {
  const text = { coreSeconds: ['core-hours', 3600], microUsd: ['USD', 1e6], egressBytes: ['GB out', 1e9] } as const;
  return table(
    ['stage', 'algorithm', 'in', 'estimate, 95 %', 'actual', 'basis', ''],
    estimates.map(({ kind, algorithm, currency, estimate, actual, basis, hit }) => {
      const [unit, per] = text[currency];
      const [mean, low, high, took] = [estimate.mean, estimate.low, estimate.high, actual].map((value) =>
        (value / per).toFixed(4),
      );
      return [kind, algorithm, unit, `${mean} (${low} to ${high})`, took ?? '', basis, hit ? 'hit' : 'MISS'];
    }),
  );
}
