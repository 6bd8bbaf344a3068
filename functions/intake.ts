import { z } from 'zod';
import { campaignName, planDigest, readChunkSet } from '#core/campaign.ts';
import { readRelease } from '#core/chunk-book.ts';
import {
  type ChunkExecution,
  campaignExecutionName,
  type IntakeRequest,
  intakeMessageSchema,
  startChunk,
  uploadExecutionName,
} from '#core/intake.ts';
import { startOrRetry } from '#core/ports.ts';
import { chunkObjectKey, isComplete, landingObject, manifestObjectKey } from '#core/release.ts';
import { handler as stack } from '#functions/handler.ts';
import type { Services } from '#functions/services.ts';

const batchSchema = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) });

/** Uploads and requests from the intake queue; a record that fails goes back alone, the others are done. */
export const handler = stack(batchSchema, async ({ Records }, services) => {
  const batchItemFailures: { itemIdentifier: string }[] = [];
  for (const record of Records) {
    try {
      await take(JSON.parse(record.body), services);
    } catch (error) {
      services.log.error('Intake:Failed', { body: record.body, error: error instanceof Error ? error : String(error) });
      batchItemFailures.push({ itemIdentifier: record.messageId });
    }
  }
  return { batchItemFailures };
});

async function take(body: unknown, services: Services): Promise<void> {
  const message = intakeMessageSchema.parse(body);
  if ('version' in message) return takeRequest(message, services);
  const { key } = message.detail.object;
  const object = landingObject(key);
  if (object.kind === 'chunk') return takeRequest({ version: 1, ...object }, services);
  if (object.kind === 'manifest') return takeManifest(object.release, services);
  services.log.warn('Intake:Ignored', { key });
}

async function takeRequest(request: IntakeRequest, services: Services): Promise<void> {
  if (request.kind === 'campaign') return takeCampaign(request.release, services);
  const { release, name } = request;
  const head = await services.landing.head(chunkObjectKey(release, name));
  if (!head) {
    services.log.warn('Intake:Gone', { release, name });
    return;
  }
  const { specDigest } = await readRelease(services.table, release);
  const { execution, started } = await startChunk(services.chunkMachine, request, head, specDigest);
  services.log.info('Intake:Chunk', { release, name, execution, started });
}

async function takeManifest(release: string, services: Services): Promise<void> {
  const head = await services.landing.head(manifestObjectKey(release));
  if (!head) return;
  const { specDigest } = await readRelease(services.table, release);
  const first = uploadExecutionName('manifest', release, 'manifest.json', head, { specDigest });
  const input = (execution: string): ChunkExecution => ({ kind: 'manifest', release, execution });
  const started = await startOrRetry(services.manifestMachine, first, input);
  services.log.info('Intake:Manifest', { release, execution: first, started });
}

async function takeCampaign(release: string, services: Services): Promise<void> {
  const row = await readRelease(services.table, release);
  if (!isComplete(row)) {
    services.log.info('Intake:NotComplete', { release, settled: row.settledChunks, expected: row.expectedChunks });
    return;
  }
  const plan = planDigest(row, await readChunkSet(services.table, release));
  const campaign = campaignName(row, plan);
  const input = (execution: string) => ({ release, campaign, planDigest: plan, execution });
  const started = await startOrRetry(services.campaignMachine, campaignExecutionName(plan), input);
  services.log.info('Intake:Campaign', { release, campaign, started });
}
