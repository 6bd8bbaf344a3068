import { join } from 'node:path';
import { packPartitionOf } from '#adapters/partition-packer.ts';
import { readDocument, writeDocument } from '#core/documents.ts';
import { PART_KINDS } from '#core/hats/parts.ts';
import {
  filesPrefix,
  packingPlanSchema,
  partitionOrderSchema,
  partitionTaskSchema,
  planFolders,
  recordPrefix,
} from '#core/partition-task.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';

/** Packs one partition: independent of all others, and idempotent, because equal inputs give equal bytes. */
export const handler = stack(partitionOrderSchema, (order, services) =>
  withScratch(async (folder) => {
    const plan = await readDocument(services.lake, order.plan, packingPlanSchema);
    const task = await readDocument(services.lake, order.task, partitionTaskSchema);
    const folders = planFolders(plan);
    const collection = join(folder, 'collection');
    const packed = await packPartitionOf(plan, task, { collection, scratch: folder }, services.lake);
    for (const kind of PART_KINDS) {
      const file = packed[kind];
      if (file === null) continue;
      const path = `${folders[kind]}/${file.path}`;
      await services.lake.putFile(`${filesPrefix(plan)}${path}`, join(collection, path), file.sha256);
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
