import { type Database, parquetRelation } from '#adapters/duckdb.ts';
import type { HealpixMap } from '#core/ancillary.ts';
import type { Profile } from '#core/profile.ts';
import { MAP_EBV, neededPixelsSql, reddenedSql } from '#core/reddening.ts';

/** Registered files that a release's chunks are read with, on the local disk. */
export interface ReferenceFiles {
  /** E(B-V), in place of the catalogue's own. */
  readonly map?: { readonly path: string; readonly healpix: HealpixMap };
  /** Where each tract lies. */
  readonly tracts?: { readonly path: string };
}

/** A chunk as it is to be read: a relation, and the profile of it. */
export interface ChunkSource {
  readonly relation: string;
  readonly profile: Profile;
}

const PIXELS = 'ponte_map_pixels';

/**
 * A local chunk, with E(B-V) of the map where there is one. Only the pixels that the chunk's rows lie in are kept in
 * memory: a map of the whole sky at order 11 has 50 million, a tract a few thousand.
 */
export async function openChunk(
  database: Database,
  path: string,
  profile: Profile,
  { map }: ReferenceFiles,
): Promise<ChunkSource> {
  const relation = parquetRelation([path]);
  if (!map) return { relation, profile };
  const pixels = neededPixelsSql(relation, profile, map.healpix, parquetRelation([map.path]));
  await database.run(`CREATE OR REPLACE TEMP TABLE ${PIXELS} AS ${pixels}`);
  return {
    relation: reddenedSql(relation, profile, map.healpix, PIXELS),
    profile: { ...profile, ebv: MAP_EBV },
  };
}
