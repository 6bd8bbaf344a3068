import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { bringFile } from '#adapters/bring-file.ts';
import { isFileOf } from '#adapters/file-digest.ts';
import { KeepingStore } from '#adapters/keeping-store.ts';
import { packPartitionOf } from '#adapters/partition-packer.ts';
import type { Cloud } from '#cli/context.ts';
import { readCampaign } from '#core/campaign-book.ts';
import { eachOf } from '#core/destination.ts';
import { findDocument, readDocument, readText } from '#core/documents.ts';
import { InputError } from '#core/errors.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { type ManifestFile, manifestSchema } from '#core/hats/manifest.ts';
import { PART_KINDS, partLeafPath } from '#core/hats/parts.ts';
import { pixelName } from '#core/hats/verification.ts';
import type { Pixel } from '#core/healpix.ts';
import {
  filesPrefix,
  type PackedPartition,
  type PackingPlan,
  packingPlanKey,
  packingPlanSchema,
  partitionOrderSchema,
  partitionOrdersKey,
  partitionTaskSchema,
  planFolders,
} from '#core/partition-task.ts';
import type { ObjectStore } from '#core/ports.ts';

export interface PackedAgain {
  readonly folder: string;
  readonly rows: number;
  readonly partitions: number;
  readonly files: number;
  readonly sizeBytes: number;
  /** Of the inputs: what lay here, and what had to come out of the cloud. */
  readonly hereBytes: number;
  readonly cloudBytes: number;
  /** What is not packed but copied: metadata, maps, documents. */
  readonly copiedBytes: number;
}

export interface PackAgainOptions {
  /** The agent's `keep`: nothing that lies there comes out of the cloud. */
  readonly kept: string;
  readonly atOnce: number;
  readonly onPartition?: (done: number, total: number) => void;
}

/**
 * Packs a campaign's table on this machine, from what a site kept: equal inputs give equal bytes, so the folder is the
 * catalogue that the cloud packed, file by file, and only small files come out of the cloud for it. Interrupted, it goes on
 * where it was; the manifest appears last, so a folder with one is whole.
 *
 * @throws {InputError} `NOT_PACKED` before the campaign has a catalogue; `PACKED_DIFFERENTLY` when a file is not the one of
 *   its manifest.
 */
export async function packAgain(
  { table, lake }: Pick<Cloud, 'table'> & { readonly lake: ObjectStore },
  campaign: string,
  target: string,
  { kept, atOnce, onPartition = () => {} }: PackAgainOptions,
): Promise<PackedAgain> {
  const { plan, orders, catalogue } = await readPacking(table, lake, campaign);
  const manifest = await readText(lake, catalogue.manifest);
  const { files, rows } = manifestSchema.parse(JSON.parse(manifest));
  const listed = new Map(files.map((file) => [file.path, file]));
  const folder = resolve(target);
  const scratch = `${folder}.packing`;
  await rm(scratch, { recursive: true, force: true });
  await rm(join(folder, MANIFEST), { force: true });
  const brought = { here: 0, store: 0 };
  const inputs = new KeepingStore(lake, {
    folder: resolve(kept),
    keeps: () => true,
    onBrought: (sizeBytes, from) => {
      brought[from] += sizeBytes;
    },
  });
  const leaves = new Set<string>();
  let done = 0;
  try {
    await eachOf(orders, atOnce, async (order) => {
      const task = await readDocument(lake, order.task, partitionTaskSchema);
      const own = leavesOf(plan, task, listed);
      if (!(await areThere(folder, own))) {
        const room = join(scratch, pixelName(task));
        const packed = await packPartitionOf(plan, task, { collection: folder, scratch: room }, inputs);
        await rm(room, { recursive: true });
        await refuseOthers(folder, own, packed);
      }
      for (const leaf of own) leaves.add(leaf.path);
      done += 1;
      onPartition(done, orders.length);
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  let copiedBytes = 0;
  for (const file of files.filter(({ path }) => !leaves.has(path))) {
    await bringFile(lake, { ...file, key: `${filesPrefix(plan)}${file.path}` }, join(folder, file.path));
    copiedBytes += file.sizeBytes;
  }
  await writeFile(join(folder, MANIFEST), manifest);
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const moved = { hereBytes: brought.here, cloudBytes: brought.store, copiedBytes };
  return { folder, rows, partitions: orders.length, files: files.length + 1, sizeBytes, ...moved };
}

async function readPacking(table: Cloud['table'], lake: ObjectStore, campaign: string) {
  const { catalogue } = await readCampaign(table, campaign);
  const plan = await findDocument(lake, packingPlanKey(campaign), packingPlanSchema);
  const orders = await findDocument(lake, partitionOrdersKey(campaign), z.array(partitionOrderSchema));
  if (catalogue && plan && orders && plan.prefix === catalogue.prefix) return { catalogue, plan, orders };
  throw new InputError(`the campaign ${campaign} has not been packed yet`, {
    code: 'NOT_PACKED',
    hint: `Wait until it has: ponte campaign watch ${campaign}`,
  });
}

/** What the manifest has for one partition; its margin only where there is one. */
function leavesOf(plan: PackingPlan, pixel: Pixel, files: ReadonlyMap<string, ManifestFile>): readonly ManifestFile[] {
  const folders = planFolders(plan);
  return PART_KINDS.flatMap((kind) => files.get(`${folders[kind]}/${partLeafPath(kind, pixel)}`) ?? []);
}

async function areThere(folder: string, files: readonly ManifestFile[]): Promise<boolean> {
  for (const file of files) if (!(await isFileOf(join(folder, file.path), file))) return false;
  return true;
}

/** @throws {InputError} `PACKED_DIFFERENTLY`; the file is removed then. */
async function refuseOthers(folder: string, files: readonly ManifestFile[], packed: PackedPartition): Promise<void> {
  const digests = new Set(PART_KINDS.flatMap((kind) => packed[kind]?.sha256 ?? []));
  for (const file of files) {
    if (digests.has(file.sha256)) continue;
    await rm(join(folder, file.path), { force: true });
    throw new InputError(`${file.path} was packed to other bytes than the campaign's manifest names`, {
      code: 'PACKED_DIFFERENTLY',
      hint: 'Use the version of Ponte that packed the campaign, or bring the table with `ponte fetch`.',
    });
  }
}
