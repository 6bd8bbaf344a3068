import type { Cloud } from '#cli/context.ts';
import { campaignPlan, type PlanOptions } from '#cli/operations/campaign-plan.ts';
import { viewRelease } from '#cli/operations/look.ts';
import { partsOf, skinnyChunks } from '#core/campaign-book.ts';
import { InputError } from '#core/errors.ts';
import { type PartitionTask, partitionTaskSchema } from '#core/partition-task.ts';
import { batchName, type PlannedUnit } from '#core/plan/plan.ts';

export interface Explanation {
  readonly release: string;
  /** What the units are to the one that was asked for; null where it is a unit itself. */
  readonly about: string | null;
  readonly units: readonly PlannedUnit[];
}

/** What a unit is made of: names of chunks and of batches. */
interface Made {
  readonly about: string;
  readonly names: ReadonlySet<string>;
  /** Whether it is packed, and so lives and dies with the whole table. */
  readonly packed: boolean;
}

/**
 * Why a unit would be reused, run or blocked, with every field that differs. A part is made with its chunk and estimated
 * with its batch; a partition is packed from parts, together with the whole table.
 * @param name a chunk, an algorithm, a batch; `<chunk>#<index>` or a part's id; `<order>/<pixel>` of a partition
 * @throws {InputError} `UNIT_UNKNOWN`
 */
export async function explain(cloud: Cloud, name: string, options: Omit<PlanOptions, 'onUnit'>): Promise<Explanation> {
  const units: PlannedUnit[] = [];
  const onUnit = async (unit: PlannedUnit) => void units.push(unit);
  const { partsPerBatch } = await campaignPlan(cloud, { ...options, onUnit });
  const { release } = options;
  const own = units.filter((unit) => unit.name === name);
  if (own.length > 0) return { release, about: null, units: own };
  const made =
    (await partitionNamed(cloud, release, name, partsPerBatch)) ??
    (await partNamed(cloud, release, name, partsPerBatch));
  if (!made) {
    throw new InputError(`the plan of ${release} has no unit ${name}`, {
      code: 'UNIT_UNKNOWN',
      hint: `ponte campaign plan ${release} --file plan.jsonl writes the names of all units; a part is <chunk>#<index> or its id, a partition <order>/<pixel>.`,
    });
  }
  const { about, names, packed } = made;
  return {
    ...{ release, about },
    units: units.filter((unit) => names.has(unit.name) || (packed && unit.kind === 'catalogue')),
  };
}

async function partNamed(cloud: Cloud, release: string, name: string, size: number): Promise<Made | null> {
  for await (const { chunk, index, partId, batch } of places(cloud, release, size)) {
    if (name !== partId && name !== `${chunk}#${index}`) continue;
    const about = `part ${index} of ${chunk} is made with its chunk and estimated in ${batch}`;
    return { about, names: new Set([chunk, batch]), packed: false };
  }
  return null;
}

async function partitionNamed(cloud: Cloud, release: string, name: string, size: number): Promise<Made | null> {
  const [, order, pixel] = /^(\d+)\/(\d+)$/.exec(name) ?? [];
  if (order === undefined || pixel === undefined) return null;
  const found = await lastPacked(cloud, release, `${order}-${pixel}`);
  if (!found) return null;
  const { campaign, task } = found;
  const parts = new Set<string>([...task.parts, ...task.around].map(({ partId }) => partId));
  const names = new Set<string>();
  let known = 0;
  for await (const { chunk, partId, batch } of places(cloud, release, size)) {
    if (!parts.has(partId)) continue;
    known += 1;
    names.add(chunk).add(batch);
  }
  const gone = parts.size > known ? `, ${parts.size - known} of them of chunks that are no longer current` : '';
  const about = `partition ${name} was packed by ${campaign} from ${task.parts.length} parts in it and ${task.around.length} around it${gone}`;
  return { about, names, packed: true };
}

/** The partition as the last campaign packed it; null where none did. */
async function lastPacked(
  cloud: Cloud,
  release: string,
  name: string,
): Promise<{ readonly campaign: string; readonly task: PartitionTask } | null> {
  for (const campaign of (await viewRelease(cloud, release)).campaigns.toReversed()) {
    const bytes = await cloud.lake.getBytes(`campaigns/${campaign}/partitions/${name}.json`);
    if (bytes) return { campaign, task: partitionTaskSchema.parse(JSON.parse(new TextDecoder().decode(bytes))) };
  }
  return null;
}

/** Every part in the order of the plan, with the chunk and the batch that it belongs to. */
async function* places({ table }: Cloud, release: string, size: number) {
  let position = 0;
  for await (const { name, chunkId } of skinnyChunks(table, release)) {
    for await (const { partId, index } of partsOf(table, release, chunkId)) {
      const batch = batchName(Math.floor(position / size) + 1);
      yield { chunk: name, index, partId: String(partId), batch };
      position += 1;
    }
  }
}
