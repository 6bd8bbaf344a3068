import { copyFile, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { PROFILE } from '#bench/skinny/engine.ts';
import { unwanted } from '#bench/skinny/unwanted.ts';
import type { Cloud } from '#cli/context.ts';
import { approve } from '#cli/operations/approve.ts';
import { chunksOf, viewCampaign, viewRelease } from '#cli/operations/look.ts';
import { registerRelease } from '#cli/operations/register-release.ts';
import { upload } from '#cli/operations/upload.ts';
import { SETTLED_STATES } from '#core/life-cycle.ts';
import type { Manifest, Registration } from '#core/release.ts';
import { writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

/** As LIneA cuts them. */
export const ROWS_PER_CHUNK = 130_000;
/** What an array estimates in production. */
export const PARTS_PER_BATCH = 50;
/** Of the survey's 1296, so that a chunk of 130,000 rows has 59 MB; as in the bench `skinny`. */
const COLUMNS = 138;
/**
 * What a chunk covers: at 1.1 million objects a square degree (20e9 over 18,000), 130,000 fill 0.12 of them. A leaf of a
 * million rows, a pixel of order 6, then takes 7 chunks, whatever number of rows they are given here.
 */
const CHUNK_DEGREES = 0.34;
const FIRST = { ra: 58, dec: -36 } as const;
const CHUNK_RA_DEGREES = CHUNK_DEGREES / Math.cos((FIRST.dec * Math.PI) / 180);
const CHUNKS_PER_LEAF = 7.7;

export interface Production {
  readonly release: string;
  readonly algorithm: string;
  readonly chunks: number;
  readonly rows: number;
  readonly training: string;
  readonly folder: string;
  /** Whether the next chunk waits until the one before is settled: then no two of them compete for the processor. */
  readonly oneByOne: boolean;
  say(line: string): void;
}

/** Takes a synthetic release all the way, approval included, through the stack that is deployed. */
export async function produce(cloud: Cloud, production: Production): Promise<void> {
  const { release, algorithm, chunks, rows, training, folder, oneByOne, say } = production;
  await mkdir(folder, { recursive: true });
  await copyFile(training, join(folder, 'training.parquet'));
  const registration: Registration = {
    version: 1,
    release,
    title: 'What a campaign uses of the control plane',
    profile: PROFILE.name,
    recipe: 'skinny',
    trainingSet: 'training.parquet',
    campaign: {
      name: 'photoz',
      algorithms: [algorithm],
      heldOut: { fraction: 0.2, seed: 1 },
      partsPerBatch: PARTS_PER_BATCH,
      partition: { thresholdRows: Math.round(rows * CHUNKS_PER_LEAF), highestOrder: 10 },
      caps: { microUsd: 100_000_000, coreSeconds: 10_000_000 },
    },
  };
  await writeFile(join(folder, 'registration.json'), JSON.stringify(registration));
  await registerRelease(cloud, join(folder, 'registration.json'));
  const lines: Manifest['chunks'] = [];
  const side = Math.ceil(Math.sqrt(chunks));
  for (let index = 0; index < chunks; index += 1) {
    const name = `chunk-${String(index).padStart(4, '0')}.parquet`;
    const path = join(folder, name);
    const place = (at: number, first: number, degrees: number) => `${first + at * degrees} + ${degrees}`;
    await withDatabase({ threads: 2 }, (database) =>
      writeSurveyChunk(database, path, 'lsst-dp1', {
        rows,
        first: index * rows,
        seed: index + 1,
        without: unwanted(COLUMNS),
        replace: {
          [PROFILE.ra]: `${place(index % side, FIRST.ra, CHUNK_RA_DEGREES)} * u1`,
          [PROFILE.dec]: `${place(Math.floor(index / side), FIRST.dec, CHUNK_DEGREES)} * u2`,
        },
      }),
    );
    lines.push({ name, sha256: await fileDigest(path), sizeBytes: (await stat(path)).size, rows });
    await upload(cloud, release, [path]);
    await rm(path);
    if (oneByOne) await until(async () => (await settled(cloud, release)) > index);
  }
  const manifest: Manifest = {
    ...{ version: 1, release, profile: PROFILE.name, chunks: lines },
    keyNumbers: { rows: chunks * rows },
  };
  await until(async () => (await settled(cloud, release)) >= chunks);
  say(`${release}: ${chunks} chunks of ${rows} rows are taken in`);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  await upload(cloud, release, [join(folder, 'manifest.json')]);
  await follow(cloud, release, say);
}

async function settled(cloud: Cloud, release: string): Promise<number> {
  let count = 0;
  for await (const { state } of chunksOf(cloud, release)) if (SETTLED_STATES.includes(state)) count += 1;
  return count;
}

async function follow(cloud: Cloud, release: string, say: (line: string) => void): Promise<void> {
  let campaign: string | undefined;
  await until(async () => {
    [campaign] = (await viewRelease(cloud, release)).campaigns;
    return campaign !== undefined;
  });
  let shown = '';
  await until(async () => {
    const { campaign: row, approval } = await viewCampaign(cloud, campaign ?? '');
    if (row.state !== shown) say(`${release}: ${row.state}`);
    shown = row.state;
    if (row.state === 'failed') throw new Error(row.failure ?? 'the campaign failed');
    if (row.state === 'approval' && approval && !approval.decision) {
      const { sha256 } = approval.report;
      await approve(cloud, { campaign: row.campaign, verdict: 'approved', comment: 'a bench', report: sha256 });
    }
    return row.state === 'delivered';
  });
}

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await sleep(500);
}
