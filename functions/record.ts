import { z } from 'zod';
import { chunkKey, chunkRowSchema } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import { settleChunk } from '#core/chunk-settlement.ts';
import type { IntakeRequest } from '#core/intake.ts';
import { objectRefSchema } from '#core/job.ts';
import { chunkObjectKey, isComplete } from '#core/release.ts';
import { settlementDocumentSchema } from '#core/settlement.ts';
import { readDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';
import { setAside } from '#functions/set-aside.ts';

/** Records what became of a chunk, once; sets a refused one aside with its report; asks for the campaign at the end. */
export const handler = stack(z.object({ document: objectRefSchema }), async ({ document }, services) => {
  const { chunk, settlement, seconds } = await readDocument(services.lake, document, settlementDocumentSchema);
  const landingKey = chunkObjectKey(chunk.release, chunk.name);
  const { kind: settled, lookAgain } = await settleChunk(services.table, {
    chunk,
    settlement,
    seconds,
    now: services.clock.now(),
    currentEtag: async () => (await services.landing.head(landingKey))?.etag ?? null,
  });
  const after = chunkRowSchema.parse(await services.table.get(chunkKey(chunk.release, chunk.chunkId)));
  if (after.state === 'quarantined') await setAside(after, services);
  if (lookAgain) {
    const { release, name, execution } = chunk;
    const look: IntakeRequest = { version: 1, kind: 'chunk', release, name, after: execution };
    await services.intake.send(look);
  }
  services.log.info('Chunk:Settled', { release: chunk.release, name: chunk.name, settled, state: after.state });
  if (isComplete(await readRelease(services.table, chunk.release))) {
    await services.intake.send({ version: 1, kind: 'campaign', release: chunk.release });
  }
  return { chunkId: chunk.chunkId, state: after.state, settled };
});
