import { expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { resumeCampaign } from '#cli/operations/resume-campaign.ts';
import { stopCampaign } from '#cli/operations/stop-campaign.ts';
import { readAccount } from '#core/account.ts';
import type { CampaignStage } from '#core/campaign.ts';
import { enterStage, failCampaign, openCampaign, readCampaign } from '#core/campaign-book.ts';
import { sha256 } from '#core/digest.ts';
import { campaignAccount, openLedger } from '#core/ledger.ts';

const NOW = new Date('2026-11-27T00:00:00Z');
const CAMPAIGN = 'dc2.photoz.0123456789';
const CAPS = { microUsd: 1_000_000, coreSeconds: 1_000_000, egressBytes: 1_000_000 };

/** A campaign at a stage, and what was asked of the machine and the queue. */
async function campaignAt(stage: CampaignStage) {
  const table = new MemoryTable();
  const stopped: string[] = [];
  const sent: unknown[] = [];
  const row = {
    campaign: CAMPAIGN,
    release: 'dc2',
    planDigest: sha256('plan'),
    chunkSetDigest: sha256('chunks'),
    state: 'informing' as const,
    execution: 'campaign-1',
    chunks: 1,
    quarantinedChunks: 0,
    rows: 10,
    parts: 1,
    stages: { planned: NOW.toISOString() },
  };
  await openLedger(table, CAMPAIGN, CAPS);
  await openCampaign(table, row);
  await enterStage(table, CAMPAIGN, stage, NOW);
  const cloud = {
    table,
    intake: { send: async (message: unknown) => void sent.push(message) },
    campaignMachine: { stop: async (name: string, cause: string) => void stopped.push(`${name}: ${cause}`) },
    identity: async () => 'arn:aws:iam::1:user/ana',
  };
  return { table, row, cloud, stopped, sent };
}

const stateOf = async (table: MemoryTable) => (await readCampaign(table, CAMPAIGN)).state;

it('ends the execution, admits nothing more, and says who and why', async () => {
  const { table, cloud, stopped } = await campaignAt('estimating');

  await stopCampaign(cloud, CAMPAIGN, 'the templates are wrong');

  const words = 'stopped by arn:aws:iam::1:user/ana: the templates are wrong';
  expect(stopped).toEqual([`campaign-1: ${words}`]);
  expect(await readCampaign(table, CAMPAIGN)).toMatchObject({ state: 'stopped', failure: words });
  expect(await readAccount(table, campaignAccount(CAMPAIGN))).toMatchObject({ state: 'paused', reason: words });
});

it('stays stopped whatever a function does that still runs, or a retry that nobody asked for', async () => {
  const { table, row, cloud } = await campaignAt('estimating');
  await stopCampaign(cloud, CAMPAIGN, 'enough');

  await enterStage(table, CAMPAIGN, 'packing', NOW);
  await failCampaign(table, CAMPAIGN, 'another reason');

  await expect(openCampaign(table, row)).rejects.toMatchObject({ code: 'CAMPAIGN_STOPPED' });
  expect(await stateOf(table)).toBe('stopped');
});

it('goes on when it is resumed, and may be stopped again', async () => {
  const { table, row, cloud, sent, stopped } = await campaignAt('estimating');
  await stopCampaign(cloud, CAMPAIGN, 'enough');

  await resumeCampaign(cloud, CAMPAIGN);
  await openCampaign(table, { ...row, execution: 'campaign-1-r1' });

  expect(sent).toEqual([{ version: 1, kind: 'campaign', release: 'dc2' }]);
  expect(await stateOf(table)).toBe('informing');
  expect(await readAccount(table, campaignAccount(CAMPAIGN))).toMatchObject({ state: 'open', reason: null });

  await stopCampaign(cloud, CAMPAIGN, 'once more');
  expect(stopped.map((line) => line.split(':')[0])).toEqual(['campaign-1', 'campaign-1-r1']);
});

it('refuses to stop what is delivered, and to resume what works', async () => {
  const { cloud, stopped } = await campaignAt('delivered');

  await expect(stopCampaign(cloud, CAMPAIGN, 'too late')).rejects.toMatchObject({ code: 'CAMPAIGN_OVER' });
  await expect(resumeCampaign(cloud, CAMPAIGN)).rejects.toMatchObject({ code: 'CAMPAIGN_NOT_PAUSED' });
  expect(stopped).toEqual([]);
});
