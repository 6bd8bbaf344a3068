import { PROFILE } from '#bench/skinny/engine.ts';
import { neededColumns } from '#core/profile.ts';
import { surveyColumns } from '#test/fixtures/survey-chunk.ts';

/** The columns of the survey's table beyond those that are needed and the first others, so that `columns` are left. */
export function unwanted(columns: number): readonly string[] {
  const needed = new Set(neededColumns(PROFILE).map(({ name }) => name));
  for (const { value, error } of Object.values(PROFILE.bands)) needed.add(value).add(error);
  return surveyColumns('lsst-dp1')
    .filter((name) => !needed.has(name))
    .slice(columns - needed.size);
}
