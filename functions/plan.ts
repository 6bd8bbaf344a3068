import { z } from 'zod';
import { withoutGaps } from '#core/amount.ts';
import { openCampaign, readPlannedRelease } from '#core/campaign-book.ts';
import { InputError } from '#core/errors.ts';
import { digestSchema, nameSchema } from '#core/job.ts';
import { sweepLeases } from '#core/lease-sweep.ts';
import { openLedger } from '#core/ledger.ts';
import { estimateCampaign, keepEstimate } from '#core/plan/campaign-estimate.ts';
import { handler as stack } from '#functions/handler.ts';

const inputSchema = z.object({
  release: nameSchema,
  campaign: nameSchema,
  planDigest: digestSchema,
  execution: z.string(),
});

/** Opens the campaign and its ledger, provided that the release is still the one the plan was made of. */
export const handler = stack(inputSchema, async (input, { table, clock, log }) => {
  const { release, chunkSet } = await readPlannedRelease(table, input.release, input.planDigest);
  if (chunkSet.chunks === 0) {
    throw new InputError(`the release ${input.release} has no usable chunk`, {
      code: 'NOTHING_TO_DO',
      hint: 'Every chunk is in quarantine: ponte chunks shows the reasons.',
    });
  }
  const { rows, parts, stages } = await estimateCampaign(table, release.spec, input.campaign);
  if (parts === 0) {
    throw new InputError(`the cut of the recipe keeps no row of the release ${input.release}`, {
      code: 'NOTHING_TO_DO',
      hint: 'ponte release report shows magnitudes and colours; register it again under another name, with another recipe.',
    });
  }
  const now = clock.now().toISOString();
  const { destinations } = release.spec.campaign;
  await openLedger(table, input.campaign, withoutGaps(release.spec.campaign.caps));
  await sweepLeases(table, input.campaign, clock.now());
  await keepEstimate(table, input.campaign, stages, clock.now());
  await openCampaign(table, {
    campaign: input.campaign,
    release: input.release,
    planDigest: input.planDigest,
    chunkSetDigest: chunkSet.digest,
    state: 'informing',
    execution: input.execution,
    chunks: chunkSet.chunks,
    quarantinedChunks: chunkSet.quarantined,
    rows,
    parts,
    stages: { planned: now, informing: now },
    ...(destinations ? { destinations } : {}),
  });
  log.info('Campaign:Planned', { campaign: input.campaign, chunks: chunkSet.chunks, rows, parts });
  const algorithms = release.spec.campaign.algorithms.map((algorithm) => ({
    campaign: input.campaign,
    release: input.release,
    algorithm,
  }));
  return { campaign: input.campaign, release: input.release, planDigest: input.planDigest, algorithms };
});
