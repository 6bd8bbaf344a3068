import { join } from 'node:path';
import { packParts } from '#adapters/hats-parts-packer.ts';
import { PART_KINDS } from '#core/hats/parts.ts';
import type { ObjectRef } from '#core/job.ts';
import {
  filesPrefix,
  type PackedPartition,
  type PackingPlan,
  type PartInputs,
  type PartitionTask,
  packingPlanSchema,
  partitionOrderSchema,
  partitionTaskSchema,
  planFolders,
  recordPrefix,
} from '#core/partition-task.ts';
import { readDocument, writeDocument } from '#functions/documents.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import type { Services } from '#functions/services.ts';

/** Packs one partition: independent of all others, and idempotent, because equal inputs give equal bytes. */
export const handler = stack(partitionOrderSchema, (order, services) =>
  withScratch(async (folder) => {
    const plan = await readDocument(services.lake, order.plan, packingPlanSchema);
    const task = await readDocument(services.lake, order.task, partitionTaskSchema);
    const inputs = await fetchInputs(task, plan, folder, services);
    const folders = planFolders(plan);
    const packed: PackedPartition = await packParts({
      folder: join(folder, 'collection'),
      folders,
      marginArcsec: plan.marginArcsec,
      pixel: { order: task.order, pixel: task.pixel },
      table: { name: plan.name, description: plan.title },
      coordinates: plan.coordinates,
      ...inputs,
      expectedRows: task.rows,
      database: { threads: 1, memoryLimit: '700MiB', temporaryFolder: folder },
    });
    for (const kind of PART_KINDS) {
      const file = packed[kind];
      if (file === null) continue;
      const path = `${folders[kind]}/${file.path}`;
      await services.lake.putFile(`${filesPrefix(plan)}${path}`, join(folder, 'collection', path), file.sha256);
    }
    const { pixel, object } = packed;
    await writeDocument(services.lake, `${recordPrefix(plan)}${packed.order}-${pixel}.json`, packed);
    services.log.info('Partition:Packed', {
      campaign: plan.campaign,
      order: packed.order,
      pixel,
      rows: object.rows,
    });
    return { order: packed.order, pixel, rows: object.rows };
  }),
);

async function fetchInputs(task: PartitionTask, plan: PackingPlan, folder: string, { lake }: Services) {
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
