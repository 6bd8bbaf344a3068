import { join } from 'node:path';
import { inspectChunk } from '#adapters/chunk-inspector.ts';
import { type Database, withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { type ChunkRow, type PartRow, pixelsObjectKey, skinnyObjectKey } from '#core/chunk.ts';
import { claimChunk, moveChunk, readExpected, readRelease } from '#core/chunk-book.ts';
import { chunkExecutionSchema } from '#core/intake.ts';
import { judgeChunk } from '#core/integrity.ts';
import type { ObjectRef } from '#core/job.ts';
import { partId, recipeDigest } from '#core/recipe.ts';
import { chunkObjectKey, type ReleaseRow } from '#core/release.ts';
import type { SettlementDocument } from '#core/settlement.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import type { Services } from '#functions/services.ts';

type Inspected =
  | { readonly outcome: 'nothing'; readonly why: string }
  | { readonly outcome: 'settle'; readonly document: ObjectRef };

/**
 * Checks one chunk and derives its skinny parts, with one download: the digest is taken while the bytes stream to the
 * function's disk, and everything else reads the local file (ADR 2).
 */
export const handler = stack(chunkExecutionSchema, (execution, services): Promise<Inspected> => {
  if (execution.kind === 'manifest') return Promise.resolve({ outcome: 'nothing', why: 'a manifest is not a chunk' });
  return withScratch(async (folder) => {
    const started = performance.now();
    const release = await readRelease(services.table, execution.release);
    const head = await services.landing.head(chunkObjectKey(execution.release, execution.name));
    if (!head) return { outcome: 'nothing', why: 'the object was removed' };
    const path = join(folder, 'chunk.parquet');
    const file = await services.landing.getFile(chunkObjectKey(execution.release, execution.name), path);
    const claim = await claimChunk(services.table, { ...execution, ...file, now: services.clock.now() });
    if (claim.kind !== 'claimed') {
      services.log.info('Chunk:NothingToDo', { release: execution.release, name: execution.name, claim: claim.kind });
      return { outcome: 'nothing', why: claim.kind };
    }
    // The declaration belongs to what was downloaded only if nothing was uploaded in between.
    const declaredSha256 = head.etag === file.etag ? head.declaredSha256 : null;
    const settlement = await withDatabase({ threads: 2, memoryLimit: '700MiB', temporaryFolder: folder }, (database) =>
      settle({ database, services, release, chunk: claim.chunk, declaredSha256, path, folder }),
    );
    const seconds = (performance.now() - started) / 1000;
    const document: SettlementDocument = { version: 1, chunk: claim.chunk, seconds, settlement };
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    const key = `chunks/${claim.chunk.chunkId}/${claim.chunk.execution}.json`;
    return { outcome: 'settle', document: await services.lake.putBytes(key, bytes, 'application/json') };
  });
});

interface Work {
  readonly database: Database;
  readonly services: Services;
  readonly release: ReleaseRow;
  readonly chunk: ChunkRow;
  readonly declaredSha256: ChunkRow['sha256'] | null;
  readonly path: string;
  readonly folder: string;
}

async function settle(work: Work): Promise<SettlementDocument['settlement']> {
  const { database, services, release, chunk, declaredSha256, path } = work;
  const { profile } = release.spec;
  const inspection = await inspectChunk(database, path, profile);
  const facts = {
    sha256: chunk.sha256,
    sizeBytes: chunk.sizeBytes,
    table: inspection.kind === 'table' ? inspection.table : null,
    reason: inspection.kind === 'table' ? null : inspection.reason,
  };
  const manifest = await readExpected(services.table, chunk.release, chunk.name);
  const findings = judgeChunk(facts, { declaredSha256, manifest }, profile);
  if (findings.length > 0 || !facts.table) return { outcome: 'quarantined', findings: [...findings] };
  const accepted = await moveChunk(services.table, chunk, 'accept');
  if (accepted) await moveChunk(services.table, accepted, 'derive');
  return derive(work, facts.table.rows);
}

async function derive(work: Work, rows: number): Promise<SettlementDocument['settlement']> {
  const { database, services, release, chunk, path, folder } = work;
  const { profile, recipe } = release.spec;
  const digest = recipeDigest(recipe, profile);
  const files = await writeSkinnyParts(database, { path, rows }, folder, profile, recipe);
  const parts: PartRow[] = [];
  for (const [index, file] of files.entries()) {
    const id = partId(chunk.sha256, digest, index, files.length);
    const pixels = new TextEncoder().encode(JSON.stringify(file.pixels));
    parts.push({
      partId: id,
      chunkId: chunk.chunkId,
      index,
      rows: file.rows,
      skinny: await services.lake.putFile(skinnyObjectKey(id), file.path, await fileDigest(file.path)),
      pixels: await services.lake.putBytes(pixelsObjectKey(id), pixels, 'application/json'),
    });
  }
  return { outcome: 'skinny', rows, recipeDigest: digest, parts };
}
