import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { expect } from 'vitest';
import { type Cloud, openCloud } from '#cli/context.ts';
import { chunksOf } from '#cli/operations/look.ts';
import { registerRelease } from '#cli/operations/register-release.ts';
import { upload } from '#cli/operations/upload.ts';
import { partsOf } from '#core/campaign-book.ts';
import { readPointer } from '#core/chunk-book.ts';
import { SETTLED_STATES } from '#core/life-cycle.ts';
import { registrationSchema } from '#core/release.ts';
import type { DemoData } from '#local/demo-data.ts';

const RELEASE = 'five-times';

/**
 * One file five times, then another content under its name, then the first again; the events of all of them repeated
 * and shuffled by asking for a look again and again. In the end what lies in the bucket is the one current chunk.
 */
export async function uploadFiveTimesOutOfOrder(home: string, data: DemoData): Promise<void> {
  const cloud = await openCloud(home);
  const folder = await registered(cloud, home);
  const [first, second] = data.manifest.chunks;
  const one = join(folder, 'one', 'same-name.parquet');
  const two = join(folder, 'two', 'same-name.parquet');
  for (const [target, chunk] of [
    [one, first],
    [two, second],
  ] as const) {
    await mkdir(join(target, '..'), { recursive: true });
    await copyFile(join(data.releaseFolder, chunk?.name ?? ''), target);
  }

  for (let time = 0; time < 5; time += 1) await upload(cloud, RELEASE, [one], { again: true });
  await allSettled(cloud, 1);
  expect(await looks(cloud)).toHaveLength(1);
  expect(await states(cloud)).toEqual(['skinny']);
  const before = await parts(cloud);
  expect(before).toHaveLength(1);

  await upload(cloud, RELEASE, [two], { again: true });
  await upload(cloud, RELEASE, [one], { again: true });
  await upload(cloud, RELEASE, [two], { again: true });
  // Late and repeated events: each only says "look at this name", so their order cannot matter.
  for (let time = 0; time < 5; time += 1) {
    await cloud.intake.send({ version: 1, kind: 'chunk', release: RELEASE, name: 'same-name.parquet' });
  }
  await currentIs(cloud, second?.sha256 ?? '');
  expect((await states(cloud)).sort()).toEqual(['skinny', 'superseded']);

  await upload(cloud, RELEASE, [one], { again: true });
  await currentIs(cloud, first?.sha256 ?? '');
  expect((await states(cloud)).sort()).toEqual(['skinny', 'superseded']);
  expect(await parts(cloud)).toEqual(before);
}

async function registered(cloud: Cloud, home: string): Promise<string> {
  const demo = join(home, 'demo', 'registration');
  const folder = join(home, RELEASE);
  await mkdir(folder, { recursive: true });
  await copyFile(join(demo, 'training.parquet'), join(folder, 'training.parquet'));
  const registration = registrationSchema.parse(JSON.parse(await readFile(join(demo, 'registration.json'), 'utf8')));
  await writeFile(join(folder, 'registration.json'), JSON.stringify({ ...registration, release: RELEASE }));
  await registerRelease(cloud, join(folder, 'registration.json'));
  return folder;
}

async function states(cloud: Cloud): Promise<string[]> {
  const found: string[] = [];
  for await (const chunk of chunksOf(cloud, RELEASE)) found.push(chunk.state);
  return found;
}

/** The executions that looked at this release. */
async function looks(cloud: Cloud): Promise<readonly string[]> {
  const used: string[] = [];
  for await (const chunk of chunksOf(cloud, RELEASE)) used.push(chunk.execution);
  const { executions } = await new SFNClient({}).send(
    new ListExecutionsCommand({ stateMachineArn: cloud.outputs.ChunkMachineArn, maxResults: 1000 }),
  );
  return (executions ?? [])
    .map((execution) => execution.name ?? '')
    .filter((name) => used.some((one) => name.startsWith(one)));
}

/** The objects of the current chunk's parts, with their digests; without the look that left the rows per pixel. */
async function parts(cloud: Cloud): Promise<readonly unknown[]> {
  const pointer = await readPointer(cloud.table, RELEASE, 'same-name.parquet');
  const found: unknown[] = [];
  if (pointer)
    for await (const part of partsOf(cloud.table, RELEASE, pointer.chunkId)) {
      const { pixels, ...rest } = part;
      found.push({ ...rest, pixels: pixels.sha256 });
    }
  return found;
}

async function allSettled(cloud: Cloud, chunks: number): Promise<void> {
  await until(async () => {
    const found = await states(cloud);
    return found.length === chunks && found.every((state) => SETTLED_STATES.some((settled) => settled === state));
  });
}

async function currentIs(cloud: Cloud, sha256: string): Promise<void> {
  await until(async () => {
    const pointer = await readPointer(cloud.table, RELEASE, 'same-name.parquet');
    let at = false;
    let busy = false;
    for await (const chunk of chunksOf(cloud, RELEASE)) {
      at ||= chunk.chunkId === pointer?.chunkId && chunk.sha256 === sha256;
      busy ||= !SETTLED_STATES.includes(chunk.state) && chunk.state !== 'superseded';
    }
    return at && !busy;
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 200; look += 1) {
    if (await holds()) return;
    await sleep(250);
  }
  throw new Error('it did not come to pass within 50 s');
}
