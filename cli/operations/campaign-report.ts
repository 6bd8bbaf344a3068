import type { Cloud } from '#cli/context.ts';
import { chunksOf, viewCampaign } from '#cli/operations/look.ts';
import type { AccountRow } from '#core/account.ts';
import { CAMPAIGN_STAGES, type CampaignRow } from '#core/campaign.ts';
import type { ChunkRow } from '#core/chunk.ts';
import { type DegradedRow, degradedSteps } from '#core/degrade.ts';
import type { FurtherDelivery } from '#core/further-delivery.ts';
import { readLedger } from '#core/ledger.ts';
import { type Comparison, compareStages, readEstimate } from '#core/plan/campaign-estimate.ts';
import { chunkMicroUsd } from '#core/plan/chunk-price.ts';
import { type Spending, spendingOf } from '#core/plan/spending.ts';
import { PRICES } from '#core/price-book.ts';

export interface StageTime {
  readonly stage: string;
  readonly seconds: number;
}

export interface CampaignReport {
  readonly campaign: CampaignRow;
  readonly approvedBy: string | null;
  readonly chunks: {
    readonly skinny: number;
    readonly quarantined: readonly QuarantinedChunk[];
    readonly superseded: number;
  };
  readonly rows: { readonly expected: number; readonly delivered: number };
  readonly stages: readonly StageTime[];
  readonly ledger: AccountRow;
  readonly spending: Spending;
  /** What each stage took, against the interval that the campaign began with, by currency. */
  readonly estimates: readonly Comparison[];
  /** Its table at further destinations. */
  readonly further: readonly FurtherDelivery[];
  /** When and why it did less. */
  readonly degraded: readonly DegradedRow[];
  /** Micro-dollars of the looks at chunks that ended in quarantine. */
  readonly quarantinedMicroUsd: number;
  /** What the control plane would have cost on AWS, in micro-dollars at the dated prices: measured times, counted calls. */
  readonly controlPlane: { readonly microUsd: number; readonly pricesOf: string; readonly region: string };
}

export interface QuarantinedChunk {
  readonly name: string;
  readonly codes: readonly string[];
  readonly sentence: string;
}

/** What a campaign did, how long it took and what it used. */
export async function campaignReport(cloud: Cloud, name: string): Promise<CampaignReport> {
  const { campaign, approval, further } = await viewCampaign(cloud, name);
  const quarantined: QuarantinedChunk[] = [];
  const counts = { skinny: 0, superseded: 0 };
  const looks: ChunkRow[] = [];
  for await (const chunk of chunksOf(cloud, campaign.release)) {
    looks.push(chunk);
    if (chunk.state === 'superseded') counts.superseded += 1;
    else if (chunk.state === 'quarantined') quarantined.push(inQuarantine(chunk));
    else counts.skinny += 1;
  }
  const ledger = await readLedger(cloud.table, name);
  const lookMicroUsd = looks.reduce((sum, chunk) => sum + chunkMicroUsd(chunk.seconds ?? 0), 0);
  const spending = await spendingOf(cloud.table, name);
  const refused = looks.filter(({ state }) => state === 'quarantined');
  return {
    campaign,
    approvedBy: approval?.decision?.identity ?? null,
    chunks: { ...counts, quarantined },
    rows: { expected: campaign.rows, delivered: campaign.catalogue?.rows ?? 0 },
    stages: stageTimes(campaign),
    ledger,
    spending,
    estimates: compareStages(await readEstimate(cloud.table, name), spending.stages),
    further,
    degraded: await degradedSteps(cloud.table, name),
    quarantinedMicroUsd: refused.reduce((sum, { seconds }) => sum + chunkMicroUsd(seconds ?? 0), 0),
    controlPlane: {
      microUsd: lookMicroUsd + ledger.microUsdSpent,
      pricesOf: PRICES.date,
      region: PRICES.region,
    },
  };
}

function inQuarantine({ name, findings }: ChunkRow): QuarantinedChunk {
  return { name, codes: findings.map((finding) => finding.code), sentence: findings[0]?.sentence ?? '' };
}

/** The seconds from the beginning of each stage to the beginning of the next that began. */
function stageTimes({ stages }: CampaignRow): readonly StageTime[] {
  const begun = CAMPAIGN_STAGES.flatMap((stage) => {
    const at = stages[stage];
    return at ? [{ stage, at: Date.parse(at) }] : [];
  });
  return begun.flatMap(({ stage, at }, index) => {
    const next = begun[index + 1];
    return next ? [{ stage, seconds: (next.at - at) / 1000 }] : [];
  });
}
