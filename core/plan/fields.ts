import type { Canonical } from '#core/digest.ts';
import { algorithmVersion } from '#core/job-order.ts';
import type { ReleaseSpec } from '#core/release.ts';

/** What makes a unit, by name: `recipe.decimals`, `packages`. Equal values, equal unit. */
export type Fields = ReadonlyMap<string, string>;

export interface Change {
  readonly field: string;
  /** Null where there was, or is, no such field. */
  readonly before: string | null;
  readonly now: string | null;
}

/** The fields whose values differ, in the order of their names. */
export function changesBetween(before: Fields, now: Fields): readonly Change[] {
  return [...new Set([...before.keys(), ...now.keys()])]
    .sort()
    .filter((field) => before.get(field) !== now.get(field))
    .map((field) => ({ field, before: before.get(field) ?? null, now: now.get(field) ?? null }));
}

/** `recipe.decimals` belongs to `recipe`: what a plan is summed up by. */
export const groupOf = (field: string) => field.split('.')[0] ?? field;

/** A value as `path -> text`, one entry for each leaf. */
function flatten(prefix: string, value: Canonical): [string, string][] {
  if (value === null || typeof value !== 'object') return [[prefix, String(value)]];
  return Object.entries(value).flatMap(([name, inner]) => flatten(`${prefix}.${name}`, inner));
}

/** What turns a chunk into skinny parts; prose and versions change nothing and are left out, as in `recipeDigest`. */
export function derivationFields(spec: ReleaseSpec): Fields {
  const { name: _name, version: _version, description: _prose, ...recipe } = spec.recipe;
  const { name, version, description, tract, checks, releaseChecks, ...catalogue } = spec.profile;
  return new Map([...flatten('recipe', recipe), ...flatten('catalogue', catalogue)]);
}

/** What every job of one algorithm depends on; the configuration's digest has the version of the worker's own code. */
export function algorithmFields(spec: ReleaseSpec, algorithm: string): Fields {
  const { configurationDigest, environmentDigest } = algorithmVersion(spec, algorithm);
  return new Map([
    ['configuration', configurationDigest],
    ['packages', environmentDigest],
  ]);
}

export function trainingFields(spec: ReleaseSpec): Fields {
  const { fraction, seed } = spec.campaign.heldOut;
  return new Map([
    ['input', spec.trainingSet.sha256],
    ['heldOut.fraction', String(fraction)],
    ['heldOut.seed', String(seed)],
  ]);
}
