import type { IdList } from '#core/chunk-summary.ts';

/** Objects that two chunks of a release both have. */
export interface SharedIds {
  readonly chunks: readonly [string, string];
  /** Where each chunk has them; null where the catalogue does not say. */
  readonly tracts: readonly [string | null, string | null];
  readonly objects: number;
}

export interface ChunkIds {
  readonly name: string;
  readonly ids: IdList;
}

/**
 * The chunks whose lists of ids can have an id in common, in groups: a chunk can share with its group alone. A survey
 * whose ids begin with the tract falls apart into small groups; one that numbers objects anyhow is one group.
 */
export function overlappingGroups(chunks: readonly ChunkIds[]): readonly (readonly ChunkIds[])[] {
  const sorted = chunks
    .map((chunk) => ({ chunk, least: BigInt(chunk.ids.least), greatest: BigInt(chunk.ids.greatest) }))
    .sort((a, b) => (a.least < b.least ? -1 : a.least > b.least ? 1 : a.chunk.name < b.chunk.name ? -1 : 1));
  const groups: ChunkIds[][] = [];
  let end: bigint | null = null;
  for (const { chunk, least, greatest } of sorted) {
    const group = groups.at(-1);
    if (group && end !== null && least <= end) group.push(chunk);
    else groups.push([chunk]);
    if (end === null || greatest > end) end = greatest;
  }
  return groups.filter((group) => group.length > 1);
}
