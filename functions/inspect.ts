import { join } from 'node:path';
import { type Examination, examineChunk } from '#adapters/chunk-examiner.ts';
import type { ReferenceFiles } from '#adapters/chunk-source.ts';
import { type Database, withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { writeIds } from '#adapters/id-writer.ts';
import { CHUNK_ENGINE } from '#adapters/skinny-slices.ts';
import { type SkinnyFile, writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { SliceFile } from '#adapters/slice-file.ts';
import { ChunkSummarizer } from '#adapters/summary-reader.ts';
import { referredTo } from '#core/ancillary.ts';
import { type ChunkRow, lookObjectKey, type PartRow, skinnyObjectKey } from '#core/chunk.ts';
import { claimChunk, moveChunk, readExpected, readRelease } from '#core/chunk-book.ts';
import type { Settlement } from '#core/chunk-settlement.ts';
import type { ChunkSummary } from '#core/chunk-summary.ts';
import { InvariantError, TransientError } from '#core/errors.ts';
import { chunkExecutionSchema, type IntakeRequest } from '#core/intake.ts';
import { type ChunkExpectation, isDigestKnown, unreadable } from '#core/integrity.ts';
import type { Profile } from '#core/profile.ts';
import { readWaivedCodes } from '#core/quarantine-book.ts';
import { partId, recipeDigest } from '#core/recipe.ts';
import { chunkObjectKey, type ReleaseRow } from '#core/release.ts';
import { handler as stack } from '#functions/handler.ts';
import { recordChunk, tellOf } from '#functions/record-chunk.ts';
import { withScratch } from '#functions/scratch.ts';
import type { Services } from '#functions/services.ts';

type Inspected = { readonly outcome: 'nothing'; readonly why: string } | Awaited<ReturnType<typeof recordChunk>>;

/**
 * Checks one chunk, derives its skinny parts and records what became of it, with one download: the digest is taken while
 * the bytes stream to the function's disk, and everything else reads the local file (ADR 2).
 */
export const handler = stack(chunkExecutionSchema, (execution, services): Promise<Inspected> => {
  if (execution.kind === 'manifest') return Promise.resolve({ outcome: 'nothing', why: 'a manifest is not a chunk' });
  return withScratch(async (folder) => {
    const started = performance.now();
    const release = await readRelease(services.table, execution.release);
    const key = chunkObjectKey(execution.release, execution.name);
    const head = await services.landing.head(key, execution.versionId);
    if (!head) return { outcome: 'nothing', why: 'the object was removed' };
    const path = join(folder, 'chunk.parquet');
    const file = await services.landing.getFile(key, path, undefined, execution.versionId);
    const manifest = await readExpected(services.table, execution.release, execution.name);
    const expected = { declaredSha256: head.declaredSha256, manifest };
    const claim = await claimChunk(services.table, {
      ...{ ...execution, ...file },
      digestKnown: isDigestKnown(expected),
      now: services.clock.now(),
    });
    if (claim.kind === 'held') await askAgain(execution.release, execution.name, claim.by, services);
    if (claim.kind === 'settled' && claim.again) await tellOf(claim.chunk, true, services);
    if (claim.kind !== 'claimed') {
      services.log.info('Chunk:NothingToDo', { release: execution.release, name: execution.name, claim: claim.kind });
      return { outcome: 'nothing', why: claim.kind };
    }
    const settlement = await withDatabase({ ...CHUNK_ENGINE, temporaryFolder: folder }, (database) =>
      settle({ database, services, release, chunk: claim.chunk, expected, path, folder }),
    );
    const seconds = (performance.now() - started) / 1000;
    return recordChunk({ chunk: claim.chunk, settlement, seconds }, services);
  });
});

/** The holder may be over without having settled; the intake can see that. */
async function askAgain(release: string, name: string, heldBy: string, { intake }: Services): Promise<void> {
  const request: IntakeRequest = { version: 1, kind: 'chunk', release, name, heldBy };
  await intake.send(request);
}

interface Work {
  readonly database: Database;
  readonly services: Services;
  readonly release: ReleaseRow;
  readonly chunk: ChunkRow;
  readonly expected: ChunkExpectation;
  readonly path: string;
  readonly folder: string;
}

async function settle(work: Work): Promise<Settlement> {
  const { database, services, release, chunk, expected, path } = work;
  const waived = await readWaivedCodes(services.table, chunk.release, chunk.chunkId);
  const files = await stageReferences(work);
  const { profile } = release.spec;
  const examination = await examineChunk(database, { path, ...chunk }, expected, profile, waived, files);
  if (examination.kind === 'refused') return { outcome: 'quarantined', findings: [...examination.findings] };
  const accepted = await moveChunk(services.table, chunk, 'accept');
  if (!accepted || !(await moveChunk(services.table, accepted, 'derive'))) {
    throw new TransientError(`another attempt is at work on ${chunk.name} of ${chunk.release}`, {
      code: 'CLAIM_LOST',
      hint: 'An earlier attempt is still running, or another execution took over; the step looks at the claim again.',
    });
  }
  return derive(work, examination);
}

/** Brings the registered files that the release's chunks are read with, checked by their digests. */
async function stageReferences({ release, services, folder }: Work): Promise<ReferenceFiles> {
  const { profile, recipe, ancillary } = release.spec;
  const bring = async (sha256: ChunkRow['sha256'] | undefined, name: string) => {
    if (sha256 === undefined) return null;
    const file = referredTo(ancillary, sha256);
    if (!file) {
      throw new InvariantError(`the release ${release.release} does not say where the ancillary file ${sha256} is`, {
        code: 'ANCILLARY_UNRESOLVED',
        hint: 'Registering resolves every file that profile and recipe name; this registration was written otherwise.',
      });
    }
    const path = join(folder, name);
    await services.lake.getFile(file.object.key, path, file.object.sha256);
    return { path, healpix: file.healpix };
  };
  const map = await bring(recipe.dereddening?.map, 'map.parquet');
  const tracts = await bring(profile.tract?.bounds, 'tracts.parquet');
  return {
    ...(map?.healpix ? { map: { path: map.path, healpix: map.healpix } } : {}),
    ...(tracts ? { tracts: { path: tracts.path } } : {}),
  };
}

async function derive(
  work: Work,
  { source, values, findings }: Extract<Examination, { kind: 'accepted' }>,
): Promise<Settlement> {
  const { database, services, release, chunk, path, folder } = work;
  const { profile, recipe } = release.spec;
  // By the profile as registered: which optional bands there are is a fact of the chunk's bytes, which the part's name has.
  const digest = recipeDigest(recipe, profile);
  const summarizer = new ChunkSummarizer();
  const derived = await writeSkinnyParts(database, path, folder, source.profile, recipe, {
    source: source.relation,
    look: (rows) => summarizer.add(database, rows),
  });
  if (derived.kind === 'unreadable') return { outcome: 'quarantined', findings: [unreadable(derived.reason)] };
  const { files } = derived;
  const look = new SliceFile(join(folder, 'look'), lookObjectKey(chunk.chunkId, chunk.execution));
  const parts: PartRow[] = [];
  for (const [index, file] of files.entries()) {
    const id = partId(chunk.sha256, digest, index, files.length);
    parts.push({
      partId: id,
      chunkId: chunk.chunkId,
      index,
      rows: file.rows,
      skinny: await services.lake.putFile(skinnyObjectKey(id), file.path, await fileDigest(file.path)),
      pixels: await look.addJson(file.pixels),
    });
  }
  const { chunkId, name } = chunk;
  const ids = await leaveIds(work, source.profile, files, look);
  const content: ChunkSummary = { version: 3, chunkId, name, rows: values.rows, values, ...summarizer.summary, ids };
  const summary = await look.addJson(content);
  await look.upload(services.lake);
  return { outcome: 'skinny', rows: values.rows, recipeDigest: digest, parts, findings: [...findings], summary };
}

/** Leaves the list of the chunk's ids, for the release's report. */
async function leaveIds(
  { database, path, folder }: Work,
  profile: Profile,
  files: readonly SkinnyFile[],
  look: SliceFile,
): Promise<ChunkSummary['ids']> {
  const target = join(folder, 'ids.parquet');
  const paths = files.map((file) => file.path);
  const list = await writeIds(database, path, profile, paths, target);
  return list && { ...list, object: await look.addFile(target) };
}
