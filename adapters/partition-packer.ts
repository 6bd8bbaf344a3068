import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packParts } from '#adapters/hats-parts-packer.ts';
import type { ObjectRef } from '#core/job.ts';
import {
  type PackedPartition,
  type PackingPlan,
  type PartInputs,
  type PartitionTask,
  planFolders,
} from '#core/partition-task.ts';
import type { ObjectStore } from '#core/ports.ts';

interface PartitionFolders {
  /** The collection's: what is packed lies there as it is delivered. */
  readonly collection: string;
  /** Room for the inputs, and for what does not fit into memory. */
  readonly scratch: string;
}

/**
 * Packs one partition of a campaign from its parts' files, each checked against its digest: independent of all others,
 * and idempotent, because equal inputs give equal bytes, wherever it runs.
 *
 * @throws {InputError} as `packParts`; {TransientError} `DIGEST_MISMATCH` when the lake gives something else.
 */
export async function packPartitionOf(
  plan: PackingPlan,
  task: PartitionTask,
  { collection, scratch }: PartitionFolders,
  lake: Pick<ObjectStore, 'getFile'>,
): Promise<PackedPartition> {
  return await packParts({
    folder: collection,
    folders: planFolders(plan),
    marginArcsec: plan.marginArcsec,
    pixel: { order: task.order, pixel: task.pixel },
    table: { name: plan.name, description: plan.title },
    coordinates: plan.coordinates,
    ...(await fetchInputs(task, plan, scratch, lake)),
    expectedRows: task.rows,
    database: { threads: 1, memoryLimit: '700MiB', temporaryFolder: scratch },
  });
}

async function fetchInputs(task: PartitionTask, plan: PackingPlan, folder: string, lake: Pick<ObjectStore, 'getFile'>) {
  await mkdir(folder, { recursive: true });
  const fetch = async (ref: ObjectRef, name: string) => {
    const path = join(folder, name);
    await lake.getFile(ref.key, path, ref.sha256);
    return path;
  };
  const fetchAll = async (parts: readonly PartInputs[]) => {
    const skinny: string[] = [];
    const points: Record<string, string[]> = {};
    for (const part of parts) {
      skinny.push(await fetch(part.skinny, `${part.partId}.parquet`));
      for (const [algorithm, ref] of Object.entries(part.points)) {
        const path = await fetch(ref, `${part.partId}.${algorithm}.parquet`);
        points[algorithm] = [...(points[algorithm] ?? []), path];
      }
    }
    return { skinny, points };
  };
  const { skinny, points } = await fetchAll(task.parts);
  const pdfs: Record<string, string[]> = {};
  for (const part of task.parts) {
    for (const [algorithm, ref] of Object.entries(part.pdfs)) {
      const path = await fetch(ref, `${part.partId}.${algorithm}.pdf.parquet`);
      pdfs[algorithm] = [...(pdfs[algorithm] ?? []), path];
    }
  }
  const algorithms = plan.algorithms.map((name) => ({
    name,
    points: points[name] ?? [],
    template: plan.templates.includes(name),
  }));
  return { skinny, algorithms, pdfs, around: await fetchAll(task.around) };
}
