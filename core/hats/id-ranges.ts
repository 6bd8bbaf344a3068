import { type IdRange, type PartitionRecord, pixelName } from '#core/hats/verification.ts';

/** Ids to compare at a time. 5 million take 300 MB of the process (measured with DuckDB 1.5.5). */
const IDS_AT_A_TIME = 5_000_000;

/** A partition, where its ids are, and in which of its files. */
export type IdHolder = Pick<PartitionRecord, 'order' | 'pixel' | 'idRuns'> &
  Pick<IdRange['partitions'][number], 'kind' | 'sha256'>;

/**
 * Divides all ids into ranges of about `most` ids, each with the partitions that have some of it: whatever is there
 * twice is there twice in one range. Ids that follow the sky, as those that begin with a tract, give ranges of a few
 * partitions each; ids without any order give ranges that every partition has to do with.
 */
export function divideIds(holders: readonly IdHolder[], most = IDS_AT_A_TIME): readonly IdRange[] {
  const runs = holders
    .flatMap((holder) =>
      holder.idRuns.map(({ first, last, rows }) => ({ first: BigInt(first), last: BigInt(last), rows, holder })),
    )
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const starts: bigint[] = [];
  let rows = 0;
  for (const run of runs) {
    rows += run.rows;
    const last = starts.at(-1);
    if (last !== undefined && (rows <= most || run.first === last)) continue;
    starts.push(run.first);
    rows = run.rows;
  }
  const partitions = starts.map(() => new Map<string, IdRange['partitions'][number]>());
  for (const { first, last, holder } of runs) {
    const { order, pixel, kind, sha256 } = holder;
    for (let at = rangeOf(first, starts); at < starts.length && (starts[at] ?? last) <= last; at += 1) {
      partitions[at]?.set(pixelName(holder), { order, pixel, kind, sha256 });
    }
  }
  return starts.map((from, at) => ({
    from: String(from),
    to: at + 1 < starts.length ? String(starts[at + 1]) : null,
    partitions: [...(partitions[at]?.values() ?? [])],
  }));
}

/** The last range that begins at or before an id. */
function rangeOf(id: bigint, starts: readonly bigint[]): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? id) <= id) low = middle;
    else high = middle;
  }
  return low;
}
