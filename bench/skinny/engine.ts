import { type Database, withDatabase } from '#adapters/duckdb.ts';
import { CHUNK_ENGINE } from '#adapters/skinny-slices.ts';
import { profileNamed, recipeNamed } from '#test/fixtures/survey-chunk.ts';

/** What all processes of the bench have in common: the survey, the recipe, and the engine as the function has it. */
export const PROFILE = profileNamed('lsst-dp1');
export const RECIPE = recipeNamed('skinny');

export const withEngine = (folder: string, use: (database: Database) => Promise<void>) =>
  withDatabase({ ...CHUNK_ENGINE, temporaryFolder: folder }, use);
