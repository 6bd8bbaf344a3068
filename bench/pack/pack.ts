/** `pack.ts INPUT OUTPUT THRESHOLD`: packs what `bench/pack/input.ts` wrote, the leaves two at a time. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finishCatalogue } from '#adapters/hats-finisher.ts';
import { localLeafTails } from '#adapters/hats-leaf-tails.ts';
import { type PackedLeaf, packPartition } from '#adapters/hats-packer.ts';
import {
  CATALOGUE,
  COORDINATES,
  COUNT_ORDER,
  NAMES,
  partsIn,
  pointsPath,
  readCounts,
  skinnyPath,
  sumOf,
} from '#bench/pack/input.ts';
import { eachOf } from '#core/destination.ts';
import { partitionSky } from '#core/hats/partition.ts';

const [input = '', output = '', threshold = '0'] = process.argv.slice(2);
await rm(output, { recursive: true, force: true });
const folder = join(output, CATALOGUE);
await mkdir(folder, { recursive: true });
const byPart = await readCounts(input);
const counts = sumOf(byPart);
const leaves: PackedLeaf[] = [];
const table = { name: CATALOGUE, description: 'Synthetic' };
await eachOf(partitionSky(counts, { countOrder: COUNT_ORDER, maxRows: Number(threshold) }), 2, async (partition) => {
  const { order, pixel, rows } = partition;
  const parts = partsIn(byPart, { order, pixel });
  leaves.push(
    await packPartition({
      folder,
      pixel: { order, pixel },
      table,
      coordinates: COORDINATES,
      skinny: parts.map((part) => skinnyPath(input, part)),
      algorithms: NAMES.map((name) => ({
        name,
        template: false,
        points: parts.map((part) => pointsPath(input, name, part)),
      })),
      expectedRows: rows,
    }),
  );
});
await finishCatalogue({
  folder: output,
  collection: 'synthetic',
  catalogue: CATALOGUE,
  shape: { coordinates: COORDINATES, algorithms: NAMES, templates: [] },
  leaves: localLeafTails(folder, leaves),
  counts: { order: COUNT_ORDER, counts },
  provenance: { title: 'Synthetic', description: 'made for a bench', createdAt: '2026-01-02T03:04:05Z' },
});
