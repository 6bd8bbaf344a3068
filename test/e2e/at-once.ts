import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import type { Cloud } from '#cli/context.ts';
import { chunksOf } from '#cli/operations/look.ts';
import { registerRelease } from '#cli/operations/register-release.ts';
import type { ChunkRow } from '#core/chunk.ts';
import { SETTLED_STATES } from '#core/life-cycle.ts';
import { chunkObjectKey, type Registration } from '#core/release.ts';
import { writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

const ROWS = 200;

/** Requests under way at a time; more would only queue in the client. */
const IN_FLIGHT = 64;

export interface AtOnce {
  readonly chunks: readonly ChunkRow[];
  /** From the end of each upload until its chunk was recorded. */
  readonly seconds: readonly number[];
}

/**
 * Uploads so many chunks of 200 rows as fast as the client can, every tenth of them in a nested folder, and waits until all
 * of them are recorded.
 * @throws {Error} when fewer are recorded after `patienceSeconds` without news.
 */
export async function uploadAtOnce(
  cloud: Cloud,
  { release, folder, count, patienceSeconds = 120, say }: AtOnceOptions,
): Promise<AtOnce> {
  await mkdir(folder, { recursive: true });
  say(`making ${count} chunks of ${ROWS} rows ...`);
  const names = Array.from({ length: count }, (_, index) =>
    index % 10 === 0 ? `tract=${index}/visit/part.parquet` : `chunk-${index}.parquet`,
  );
  await withDatabase({}, async (database) => {
    await writeSurveyChunk(database, join(folder, 'training.parquet'), 'dc2-rail', { rows: ROWS });
    for (const index of names.keys()) {
      const options = { rows: ROWS, first: index * ROWS, seed: index };
      await writeSurveyChunk(database, join(folder, `${index}.parquet`), 'dc2-rail', options);
    }
  });
  const registration: Registration = {
    version: 1,
    release,
    title: 'Chunks that come at once',
    profile: 'dc2-rail',
    recipe: 'skinny',
    trainingSet: 'training.parquet',
    campaign: {
      name: 'photoz',
      algorithms: ['knn'],
      heldOut: { fraction: 0.2, seed: 1 },
      partsPerBatch: 2,
      partition: { thresholdRows: 4000, highestOrder: 10 },
      caps: { microUsd: 1, coreSeconds: 1 },
    },
  };
  await writeFile(join(folder, 'registration.json'), JSON.stringify(registration));
  await registerRelease(cloud, join(folder, 'registration.json'));

  say(`uploading ${count} chunks ...`);
  const uploadedAt = new Map<string, number>();
  const queue = names.entries();
  const uploadOn = async () => {
    for (const [index, name] of queue) {
      const path = join(folder, `${index}.parquet`);
      await cloud.landing.putFile(chunkObjectKey(release, name), path, await fileDigest(path));
      uploadedAt.set(name, Date.now());
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, uploadOn));
  const chunks = await allRecorded(cloud, { release, count, patienceSeconds, say });
  const seconds = chunks.map(
    ({ name, settledAt }) => (Date.parse(settledAt ?? '') - (uploadedAt.get(name) ?? Number.NaN)) / 1000,
  );
  return { chunks, seconds };
}

interface AtOnceOptions {
  readonly release: string;
  /** For the chunks; made when missing. */
  readonly folder: string;
  readonly count: number;
  readonly patienceSeconds?: number;
  say(line: string): void;
}

async function allRecorded(
  cloud: Cloud,
  { release, count, patienceSeconds = 0, say }: Omit<AtOnceOptions, 'folder'>,
): Promise<readonly ChunkRow[]> {
  let [before, newsAt] = [-1, Date.now()];
  while (Date.now() - newsAt < patienceSeconds * 1000) {
    const rows: ChunkRow[] = [];
    for await (const chunk of chunksOf(cloud, release)) rows.push(chunk);
    const settled = rows.filter(({ state }) => SETTLED_STATES.includes(state)).length;
    if (settled >= count) return rows;
    if (settled > before) {
      [before, newsAt] = [settled, Date.now()];
      say(`${settled} of ${count} recorded`);
    }
    await sleep(count > 100 ? 5000 : 500);
  }
  throw new Error(`${before} of ${count} chunks were recorded, and none any more for ${patienceSeconds} s`);
}
