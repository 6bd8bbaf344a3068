import { join } from 'node:path';
import { packPartition } from '#adapters/hats-packer.ts';
import type { ObjectRef } from '#core/job.ts';
import {
  catalogueFolder,
  filesPrefix,
  type PackedLeafRecord,
  type PackingPlan,
  type PartitionTask,
  packingPlanSchema,
  partitionOrderSchema,
  partitionTaskSchema,
  recordPrefix,
} from '#core/partition-task.ts';
import { readDocument, writeDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import type { Services } from '#functions/services.ts';

/** Packs one leaf: independent of all others, and idempotent, because equal inputs give equal bytes. */
export const handler = stack(partitionOrderSchema, (order, services) =>
  withScratch(async (folder) => {
    const plan = await readDocument(services.lake, order.plan, packingPlanSchema);
    const task = await readDocument(services.lake, order.task, partitionTaskSchema);
    const inputs = await fetchInputs(task, plan, folder, services);
    const packed = await packPartition({
      folder: join(folder, 'catalogue'),
      pixel: { order: task.order, pixel: task.pixel },
      table: { name: plan.name, description: plan.title },
      coordinates: plan.coordinates,
      ...inputs,
      expectedRows: task.rows,
      database: { threads: 1, memoryLimit: '700MiB', temporaryFolder: folder },
    });
    const { missing: _missing, ...leaf } = packed;
    const key = `${filesPrefix(plan)}${catalogueFolder(plan)}/${leaf.path}`;
    await services.lake.putFile(key, join(folder, 'catalogue', leaf.path), leaf.sha256);
    const record: PackedLeafRecord = leaf;
    await writeDocument(services.lake, `${recordPrefix(plan)}${leaf.order}-${leaf.pixel}.json`, record);
    services.log.info('Partition:Packed', {
      campaign: plan.campaign,
      order: leaf.order,
      pixel: leaf.pixel,
      rows: leaf.rows,
    });
    return { order: leaf.order, pixel: leaf.pixel, rows: leaf.rows };
  }),
);

async function fetchInputs(task: PartitionTask, plan: PackingPlan, folder: string, { lake }: Services) {
  const fetch = async (ref: ObjectRef, name: string) => {
    const path = join(folder, name);
    await lake.getFile(ref.key, path, ref.sha256);
    return path;
  };
  const skinny: string[] = [];
  const points = new Map<string, string[]>(plan.algorithms.map((algorithm) => [algorithm, []]));
  for (const part of task.parts) {
    skinny.push(await fetch(part.skinny, `${part.partId}.parquet`));
    for (const [algorithm, ref] of Object.entries(part.points)) {
      points.get(algorithm)?.push(await fetch(ref, `${part.partId}.${algorithm}.parquet`));
    }
  }
  return { skinny, algorithms: [...points].map(([name, paths]) => ({ name, points: paths })) };
}
