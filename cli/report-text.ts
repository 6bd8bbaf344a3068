import type { CampaignReport } from '#cli/operations/campaign-report.ts';
import { table } from '#cli/output.ts';

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
    `approved by: ${report.approvedBy ?? 'nobody yet'}`,
    '',
    table(
      ['stage', 'seconds'],
      stages.map(({ stage, seconds }) => [stage, Number(seconds.toFixed(1))]),
    ),
    '',
    `core-seconds used: ${ledger.coreSecondsSpent} (${ledger.coreSecondsAvailable} left of the cap)`,
    `control plane on AWS: ${(controlPlane.microUsd / 1e6).toFixed(4)} USD at the prices of ${controlPlane.pricesOf} in ${controlPlane.region}, without storage and egress`,
  ].join('\n');
}
