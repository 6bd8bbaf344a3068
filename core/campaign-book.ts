import { type ApprovalRow, readApproval } from '#core/approval.ts';
import {
  CAMPAIGN_STAGES,
  type CampaignRow,
  type CampaignStage,
  type Catalogue,
  campaignIndexKey,
  campaignKey,
  campaignPartition,
  campaignRowSchema,
  planDigest,
  readChunkSet,
} from '#core/campaign.ts';
import { chunkKey, type PartRow, partPrefix, partRowSchema } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import type { ObjectRef } from '#core/job.ts';
import { objectRefSchema } from '#core/job.ts';
import { type ChunkEvent, mayMove, type nextState } from '#core/life-cycle.ts';
import { EXPECTED_PREFIX, expectedChunkSchema, releasePartition } from '#core/release.ts';
import { equals, ROW_EXISTS, ROW_IS_NEW, scan, type Table } from '#core/table.ts';

export async function readCampaign(table: Table, campaign: string): Promise<CampaignRow> {
  const row = await table.get(campaignKey(campaign));
  if (!row) {
    throw new InputError(`there is no campaign ${campaign}`, {
      code: 'CAMPAIGN_UNKNOWN',
      hint: 'ponte release show <release> lists the campaigns of a release.',
    });
  }
  return campaignRowSchema.parse({ failure: null, catalogue: null, ...row });
}

/**
 * The release and its chunks, provided that they are still those that the plan was made of. An approval may take weeks.
 * @throws {InputError} `PLAN_OUTDATED`
 */
export async function readPlannedRelease(table: Table, name: string, plan: Digest) {
  const release = await readRelease(table, name);
  const chunkSet = await readChunkSet(table, name);
  if (planDigest(release, chunkSet) === plan) return { release, chunkSet };
  throw new InputError(`the release ${name} changed after this campaign was asked for`, {
    code: 'PLAN_OUTDATED',
    hint: 'The change itself asks for a new campaign; this one ends here.',
  });
}

/**
 * Opens a campaign once; a retry of the plan finds it, and one that had failed or paused is at work again.
 * @throws {InputError} `CAMPAIGN_STOPPED`: only a person lets it go on.
 */
export async function openCampaign(table: Table, row: Omit<CampaignRow, 'failure' | 'catalogue'>): Promise<void> {
  await table.write([{ kind: 'put', item: { ...campaignKey(row.campaign), ...row }, when: [ROW_IS_NEW] }]);
  await table.write([
    {
      kind: 'update',
      key: campaignKey(row.campaign),
      set: { state: row.state, execution: row.execution, failure: null },
      when: [{ kind: 'oneOf', attribute: 'state', values: ['failed', 'paused'] }],
    },
  ]);
  await table.write([
    {
      kind: 'put',
      item: { ...campaignIndexKey(row.release, row.campaign), campaign: row.campaign, execution: row.execution },
    },
  ]);
  const { state, failure } = await readCampaign(table, row.campaign);
  if (state !== 'stopped') return;
  throw new InputError(`the campaign ${row.campaign} was ${failure ?? 'stopped'}`, {
    code: 'CAMPAIGN_STOPPED',
    hint: `ponte campaign resume ${row.campaign} lets it go on.`,
  });
}

/** Ends a campaign that works, pauses or failed, by a person's word. False when there was nothing to stop. */
export const stopCampaign = async (table: Table, campaign: string, words: string): Promise<boolean> => {
  const states = [...CAMPAIGN_STAGES.filter((stage) => stage !== 'delivered'), 'failed', 'paused'];
  const { written } = await table.write([
    {
      kind: 'update',
      key: campaignKey(campaign),
      set: { state: 'stopped', failure: words },
      when: [{ kind: 'oneOf', attribute: 'state', values: states }],
    },
  ]);
  return written;
};

/** A stopped campaign may be asked for again. */
export const unstopCampaign = (table: Table, campaign: string) =>
  table.write([
    { kind: 'update', key: campaignKey(campaign), set: { state: 'paused' }, when: [equals('state', 'stopped')] },
  ]);

/** Stamps the beginning of a stage; the first stamp of a stage stays. What still runs in a stopped campaign enters none. */
export async function enterStage(table: Table, campaign: string, stage: CampaignStage, now: Date): Promise<void> {
  const { stages } = await readCampaign(table, campaign);
  await table.write([
    {
      kind: 'update',
      key: campaignKey(campaign),
      set: { state: stage, stages: { ...stages, [stage]: stages[stage] ?? now.toISOString() } },
      when: [{ kind: 'oneOf', attribute: 'state', values: [...CAMPAIGN_STAGES, 'failed', 'paused'] }],
    },
  ]);
}

export const setCatalogue = (table: Table, campaign: string, catalogue: Catalogue) =>
  table.write([{ kind: 'update', key: campaignKey(campaign), set: { catalogue } }]);

/** Ends a campaign with the reason, unless it was delivered; one that paused goes on when its cap is raised. */
export const failCampaign = (table: Table, campaign: string, failure: string, state: 'failed' | 'paused' = 'failed') =>
  table.write([
    {
      kind: 'update',
      key: campaignKey(campaign),
      set: { state, failure },
      when: [
        ROW_EXISTS,
        { kind: 'oneOf', attribute: 'state', values: CAMPAIGN_STAGES.filter((s) => s !== 'delivered') },
      ],
    },
  ]);

/** The current chunks of a release that became skinny, in the order of their names. */
export async function* skinnyChunks(table: Table, release: string): AsyncGenerator<{ name: string; chunkId: Digest }> {
  for await (const row of scan(table, releasePartition(release), EXPECTED_PREFIX)) {
    const expected = expectedChunkSchema.parse({ outcome: null, chunkId: null, ...row });
    if (expected.outcome === 'skinny' && expected.chunkId) yield { name: expected.name, chunkId: expected.chunkId };
  }
}

export async function* partsOf(table: Table, release: string, chunk: Digest): AsyncGenerator<PartRow> {
  for await (const row of scan(table, releasePartition(release), partPrefix(chunk))) yield partRowSchema.parse(row);
}

/** All parts of a release's current chunks, in the order of names and indices: the order of the plan. */
export async function* releaseParts(table: Table, release: string): AsyncGenerator<PartRow> {
  for await (const chunk of skinnyChunks(table, release)) yield* partsOf(table, release, chunk.chunkId);
}

/** Moves every current chunk along the life cycle; one that has moved already stays. */
export async function moveChunks(table: Table, release: string, event: ChunkEvent): Promise<void> {
  for await (const { chunkId } of skinnyChunks(table, release)) {
    const state = CAMPAIGN_EVENT_TARGETS[event];
    if (!state) return;
    await table.write([
      { kind: 'update', key: chunkKey(release, chunkId), set: { state }, when: [mayMove(event, state)] },
    ]);
  }
}

/** Where a campaign's events lead, whatever state they come from. */
const CAMPAIGN_EVENT_TARGETS: Partial<Record<ChunkEvent, NonNullable<ReturnType<typeof nextState>>>> = {
  estimate: 'estimating',
  finish: 'estimated',
  pack: 'packed',
  deliver: 'delivered',
};

const modelKey = (campaign: string, algorithm: string) => ({ pk: campaignPartition(campaign), sk: `M#${algorithm}` });
const evaluationKey = (campaign: string, algorithm: string) => ({
  pk: campaignPartition(campaign),
  sk: `V#${algorithm}`,
});

/** The model that this campaign's own inform made: the only one its estimates may load. */
export const writeModel = (table: Table, campaign: string, algorithm: string, model: ObjectRef) =>
  table.write([{ kind: 'put', item: { ...modelKey(campaign, algorithm), ...model } }]);

export const writeEvaluation = (table: Table, campaign: string, algorithm: string, evaluation: ObjectRef) =>
  table.write([{ kind: 'put', item: { ...evaluationKey(campaign, algorithm), ...evaluation } }]);

export const readModel = (table: Table, campaign: string, algorithm: string) =>
  readReference(table, modelKey(campaign, algorithm), `model of ${algorithm}`);

export const readEvaluation = (table: Table, campaign: string, algorithm: string) =>
  readReference(table, evaluationKey(campaign, algorithm), `evaluation of ${algorithm}`);

async function readReference(table: Table, key: { pk: string; sk: string }, what: string): Promise<ObjectRef> {
  const row = await table.get(key);
  if (row) {
    const { pk: _pk, sk: _sk, ...reference } = row;
    return objectRefSchema.parse(reference);
  }
  throw new InputError(`the campaign has no ${what}`, {
    code: 'STAGE_INCOMPLETE',
    hint: 'An earlier stage did not end; look at the campaign with ponte campaign watch.',
  });
}

/** @throws {InputError} `NOT_APPROVED` unless the standing decision on exactly this plan is an approval. */
export async function requireApproval(table: Table, campaign: CampaignRow): Promise<ApprovalRow> {
  const approval = await readApproval(table, campaign.campaign);
  if (approval?.planDigest === campaign.planDigest && approval.decision?.verdict === 'approved') return approval;
  throw new InputError(`the campaign ${campaign.campaign} is not approved`, {
    code: 'NOT_APPROVED',
    hint: 'A coordinator reads the validation report and runs ponte approve.',
  });
}
