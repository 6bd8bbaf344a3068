import { type ChunkRow, chunkKey, chunkRowSchema } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import { type Settlement, settleChunk } from '#core/chunk-settlement.ts';
import type { IntakeRequest } from '#core/intake.ts';
import { chunkObjectKey, isComplete } from '#core/release.ts';
import type { Services } from '#functions/services.ts';
import { setAside } from '#functions/set-aside.ts';

export interface Look {
  readonly chunk: ChunkRow;
  readonly settlement: Settlement;
  readonly seconds: number;
}

/** Records what became of a chunk, once, and tells whom it concerns. */
export async function recordChunk({ chunk, settlement, seconds }: Look, services: Services) {
  const landingKey = chunkObjectKey(chunk.release, chunk.name);
  const { kind: settled, lookAgain } = await settleChunk(services.table, {
    chunk,
    settlement,
    seconds,
    now: services.clock.now(),
    currentEtag: async () => (await services.landing.head(landingKey))?.etag ?? null,
  });
  const after = await tellOf(chunk, lookAgain, services);
  services.log.info('Chunk:Settled', { release: chunk.release, name: chunk.name, settled, state: after.state });
  return { outcome: 'settled' as const, chunkId: chunk.chunkId, state: after.state, settled };
}

/**
 * Sets a refused chunk aside with its report; asks for another look where that is due, and for the campaign at the end.
 * Whoever dies on the way here does it again: none of it does harm twice.
 */
export async function tellOf(chunk: ChunkRow, lookAgain: boolean, services: Services): Promise<ChunkRow> {
  const after = chunkRowSchema.parse(await services.table.get(chunkKey(chunk.release, chunk.chunkId)));
  if (after.state === 'quarantined') await setAside(after, services);
  if (lookAgain) {
    const { release, name, execution } = chunk;
    const look: IntakeRequest = { version: 1, kind: 'chunk', release, name, after: execution };
    await services.intake.send(look);
  }
  if (isComplete(await readRelease(services.table, chunk.release))) {
    await services.intake.send({ version: 1, kind: 'campaign', release: chunk.release });
  }
  return after;
}
