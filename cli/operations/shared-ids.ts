import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDatabase } from '#adapters/duckdb.ts';
import { compareIds } from '#adapters/id-comparison.ts';
import { readSlice } from '#core/object-slice.ts';
import type { ObjectStore } from '#core/ports.ts';
import { type ChunkIds, overlappingGroups, type SharedIds } from '#core/shared-ids.ts';

/** Lists that are fetched at a time. */
const AT_A_TIME = 16;

/**
 * The objects that several chunks of a release have, per pair, from the lists of ids that intake left. Lists that no
 * other overlaps are not fetched; the others are about 2 bytes per object.
 */
export async function findSharedIds(
  lake: Pick<ObjectStore, 'getBytes'>,
  chunks: readonly ChunkIds[],
  say: (line: string) => void = () => {},
): Promise<readonly SharedIds[]> {
  const groups = overlappingGroups(chunks);
  const all = groups.flat();
  if (all.length === 0) return [];
  const bytes = all.reduce((sum, { ids }) => sum + ids.object.sizeBytes, 0);
  say(`comparing the ids of ${all.length} chunks (${(bytes / 1e6).toFixed(1)} MB)`);
  const folder = await mkdtemp(join(tmpdir(), 'ponte-ids-'));
  const shared: SharedIds[] = [];
  try {
    for (const group of groups) {
      const files = new Map<string, string>();
      for (let from = 0; from < group.length; from += AT_A_TIME) {
        const some = group.slice(from, from + AT_A_TIME);
        await Promise.all(some.map((chunk) => fetchList(lake, chunk, folder, files)));
      }
      const rows = group.reduce((sum, { ids }) => sum + ids.rows, 0);
      const options = { memoryLimit: '1500MiB', temporaryFolder: join(folder, 'spill') };
      shared.push(...(await withDatabase(options, (database) => compareIds(database, files, rows))));
      await Promise.all([...files.keys()].map((path) => rm(path)));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return shared.sort((a, b) => b.objects - a.objects);
}

async function fetchList(
  lake: Pick<ObjectStore, 'getBytes'>,
  { name, ids }: ChunkIds,
  folder: string,
  files: Map<string, string>,
): Promise<void> {
  const path = join(folder, `${ids.object.sha256}-${files.size}.parquet`);
  files.set(path, name);
  await writeFile(path, await readSlice(lake, ids.object));
}
