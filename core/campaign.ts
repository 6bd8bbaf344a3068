import { z } from 'zod';
import { type Digest, digestOf, sha256 } from '#core/digest.ts';
import { furtherDestinationsSchema } from '#core/further-destination.ts';
import { COLUMNS_DIGEST } from '#core/hats/columns.ts';
import { digestSchema, nameSchema, objectRefSchema } from '#core/job.ts';
import { EXPECTED_PREFIX, expectedChunkSchema, type ReleaseRow, releasePartition } from '#core/release.ts';
import { type Key, scan, type Table } from '#core/table.ts';

/** The stages of a campaign, in their order; each stamps the campaign's row when it begins. */
export const CAMPAIGN_STAGES = [
  'planned',
  'informing',
  'approval',
  'estimating',
  'packing',
  'verifying',
  'delivering',
  'delivered',
] as const;
export const campaignStateSchema = z.enum([...CAMPAIGN_STAGES, 'failed', 'paused', 'stopped']);
export type CampaignStage = (typeof CAMPAIGN_STAGES)[number];

/** The packed collection in the lake: files below `{prefix}/files/`, all of them listed in `manifest`. */
const catalogueSchema = z.strictObject({
  name: z.string(),
  prefix: z.string(),
  manifest: objectRefSchema,
  rows: z.int(),
  partitions: z.int(),
  /** `COLUMNS_DIGEST` when it was made. */
  columns: digestSchema.exactOptional(),
});
export type Catalogue = z.infer<typeof catalogueSchema>;

export const campaignRowSchema = z.object({
  campaign: nameSchema,
  release: nameSchema,
  planDigest: digestSchema,
  chunkSetDigest: digestSchema,
  state: campaignStateSchema,
  execution: z.string(),
  chunks: z.int().nonnegative(),
  quarantinedChunks: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  parts: z.int().nonnegative(),
  /** Stage -> when it began. */
  stages: z.partialRecord(campaignStateSchema, z.string()),
  failure: z.string().nullable(),
  catalogue: catalogueSchema.nullable(),
  /** Where its table goes beside the stack's own bucket, as the registration had it when it was planned. */
  destinations: furtherDestinationsSchema.exactOptional(),
});
export type CampaignRow = z.infer<typeof campaignRowSchema>;

export const campaignPartition = (campaign: string) => `C#${campaign}`;
export const campaignKey = (campaign: string): Key => ({ pk: campaignPartition(campaign), sk: 'META' });

/** Every campaign of a release leaves a row here, so that it can be found. */
export const CAMPAIGN_INDEX_PREFIX = 'X#';
export const campaignIndexKey = (release: string, campaign: string): Key => ({
  pk: releasePartition(release),
  sk: `${CAMPAIGN_INDEX_PREFIX}${campaign}`,
});

/** Raise it when the campaign's own code changes what it would deliver from equal inputs. */
const CAMPAIGN_VERSION = 1;

export interface ChunkSet {
  readonly digest: Digest;
  readonly chunks: number;
  readonly quarantined: number;
}

/** The digest over the chunks that a campaign of this release would use now; one pass, a page at a time. */
export async function readChunkSet(table: Table, release: string): Promise<ChunkSet> {
  let lines = '';
  let digest = sha256('');
  let chunks = 0;
  let quarantined = 0;
  const fold = () => {
    digest = sha256(`${digest}\n${lines}`);
    lines = '';
  };
  for await (const row of scan(table, releasePartition(release), EXPECTED_PREFIX)) {
    const expected = expectedChunkSchema.parse({ outcome: null, chunkId: null, ...row });
    if (expected.outcome === 'quarantined') quarantined += 1;
    if (expected.outcome !== 'skinny') continue;
    chunks += 1;
    lines += `${expected.name}\0${expected.chunkId ?? ''}\n`;
    if (chunks % 1000 === 0) fold();
  }
  fold();
  return { digest, chunks, quarantined };
}

/** What a campaign would be, from all that makes it. Approvals and execution names are bound to it. */
export function planDigest(release: ReleaseRow, chunkSet: ChunkSet): Digest {
  return digestOf('campaign-plan', {
    version: CAMPAIGN_VERSION,
    spec: release.specDigest,
    chunks: chunkSet.digest,
    columns: COLUMNS_DIGEST,
  });
}

export function campaignName(release: ReleaseRow, plan: Digest): string {
  return `${release.release}.${release.spec.campaign.name}.${plan.slice(0, 10)}`;
}
