import type { Cloud } from '#cli/context.ts';
import { type ApprovalRow, readApproval } from '#core/approval.ts';
import { CAMPAIGN_INDEX_PREFIX, type CampaignRow } from '#core/campaign.ts';
import { readCampaign } from '#core/campaign-book.ts';
import { CHUNK_PREFIX, type ChunkRow, chunkRowSchema } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import { DELIVERIES, DELIVERY_PREFIX, type DeliveryRow, deliveryName, deliveryRowSchema } from '#core/delivery.ts';
import { InputError } from '#core/errors.ts';
import { type FurtherDelivery, furtherDeliveriesOf } from '#core/further-delivery.ts';
import { UNPUBLISHED } from '#core/publication.ts';
import { type ReleaseRow, releasePartition } from '#core/release.ts';
import { scan } from '#core/table.ts';

export interface ReleaseView {
  readonly release: ReleaseRow;
  readonly manifestProblem: string | null;
  readonly campaigns: readonly string[];
}

export async function viewRelease({ table }: Cloud, release: string): Promise<ReleaseView> {
  const row = await readRelease(table, release);
  const raw = await table.get({ pk: releasePartition(release), sk: 'META' });
  const problem = raw?.manifestProblem;
  const campaigns: string[] = [];
  for await (const index of scan(table, releasePartition(release), CAMPAIGN_INDEX_PREFIX)) {
    campaigns.push(index.sk.slice(CAMPAIGN_INDEX_PREFIX.length));
  }
  return { release: row, manifestProblem: typeof problem === 'string' ? problem : null, campaigns };
}

/** The chunks of a release, a page at a time. */
export async function* chunksOf({ table }: Pick<Cloud, 'table'>, release: string): AsyncGenerator<ChunkRow> {
  for await (const row of scan(table, releasePartition(release), CHUNK_PREFIX)) yield chunkRowSchema.parse(row);
}

export interface CampaignView {
  readonly campaign: CampaignRow;
  readonly approval: ApprovalRow | null;
  /** Its table at further destinations. */
  readonly further: readonly FurtherDelivery[];
}

export async function viewCampaign({ table }: Pick<Cloud, 'table'>, name: string): Promise<CampaignView> {
  const campaign = await readCampaign(table, name);
  const { catalogue } = campaign;
  return {
    campaign,
    approval: await readApproval(table, name),
    further: catalogue ? await furtherDeliveriesOf(table, deliveryName(catalogue.name, catalogue.manifest.sha256)) : [],
  };
}

/** A campaign by its name, or the one campaign of a release by the release's name. */
export async function findCampaign(cloud: Cloud, name: string): Promise<string> {
  if (name.includes('.') && (await cloud.table.get({ pk: `C#${name}`, sk: 'META' }))) return name;
  const release = name.split('.')[0] ?? name;
  const { campaigns } = await viewRelease(cloud, release);
  const matching = campaigns.filter((campaign) => campaign.startsWith(name));
  const [only] = matching;
  if (only && matching.length === 1) return only;
  throw new InputError(`${matching.length === 0 ? 'no' : 'more than one'} campaign answers to ${name}`, {
    code: 'CAMPAIGN_UNKNOWN',
    hint: campaigns.length > 0 ? `Campaigns of ${release}: ${campaigns.join(', ')}` : `${release} has no campaign yet.`,
  });
}

export interface DeliveryView extends DeliveryRow {
  readonly further: readonly FurtherDelivery[];
}

export async function deliveriesOf({ table }: Pick<Cloud, 'table'>): Promise<readonly DeliveryView[]> {
  const rows: DeliveryView[] = [];
  for await (const item of scan(table, DELIVERIES, DELIVERY_PREFIX)) {
    const row = deliveryRowSchema.parse(item);
    rows.push({ ...row, further: await furtherDeliveriesOf(table, row.delivery) });
  }
  return rows;
}

/** What a coordinator should know of the delivery before approving it: what its packet would lack; null when nothing. */
export async function approvalWarning(
  { table }: Pick<Cloud, 'table'>,
  { release }: CampaignRow,
): Promise<string | null> {
  const { spec } = await readRelease(table, release);
  return spec.publication ? null : UNPUBLISHED;
}
