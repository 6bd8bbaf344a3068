import { z } from 'zod';
import { parseCut } from '#core/cut.ts';
import { type Digest, digestOf } from '#core/digest.ts';
import { digestSchema } from '#core/job.ts';
import { BANDS, type Profile, profileDigest } from '#core/profile.ts';

/** What turns a chunk into skinny parts. */
export const recipeSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/),
  version: z.int().positive(),
  description: z.string().min(1),
  /** Magnitudes and their errors are rounded to this many decimals: 4 saves 20 % of FlexZBoost's time (LIneA). */
  decimals: z.int().min(1).max(6),
  /** 130,000 rows is LIneA's unit of work: about 40 s of BPZ or FlexZBoost on one core. */
  maxRowsPerPart: z.int().positive().max(1_000_000),
  /**
   * Takes the Galaxy's extinction away: m - coefficient * E(B-V). E(B-V) is that of the profile's `ebv` column, or of
   * the nearest pixel of a `map`: the sha256 of a registered ancillary file. The coefficients belong to bands and map.
   */
  dereddening: z
    .strictObject({
      coefficients: z.partialRecord(z.enum(BANDS), z.number().min(0).max(10)),
      map: digestSchema.exactOptional(),
    })
    .exactOptional(),
  /** Rows for which it is true stay; in the language of `core/cut.ts`, of the values as the skinny part has them. */
  cut: z
    .string()
    .refine((text) => parseCut(text).ok, { error: (issue) => cutProblem(String(issue.input)) })
    .exactOptional(),
});
export type Recipe = z.infer<typeof recipeSchema>;

/**
 * The version of the SQL in core/skinny-sql.ts. Raise it with any change that changes a derived byte: it is part of the
 * recipe's digest, so the plan sees that parts must be derived again.
 */
const DERIVATION_VERSION = 3;

/** Equal digest means equal skinny parts for equal chunks. */
export function recipeDigest(recipe: Recipe, profile: Profile): Digest {
  return digestOf('skinny-recipe', {
    derivation: DERIVATION_VERSION,
    profile: profileDigest(profile),
    decimals: recipe.decimals,
    maxRowsPerPart: recipe.maxRowsPerPart,
    // As it was understood, so that a space more or less changes nothing.
    ...(recipe.cut === undefined ? {} : { cut: cutSql(recipe) }),
    ...(recipe.dereddening ? { extinction: recipe.dereddening.coefficients } : {}),
    ...(recipe.dereddening?.map ? { extinctionMap: recipe.dereddening.map } : {}),
  });
}

/** The condition of the recipe's cut, or null when every row stays. */
export function cutSql(recipe: Recipe): string | null {
  const cut = recipe.cut === undefined ? null : parseCut(recipe.cut);
  return cut?.ok ? cut.sql : null;
}

function cutProblem(text: string): string {
  const cut = parseCut(text);
  return cut.ok ? '' : `the cut cannot be read: ${cut.problem}`;
}

/** Why a recipe cannot be followed with a survey's catalogue; empty when it can. */
export function recipeProblems(recipe: Recipe, profile: Profile): readonly string[] {
  const problems: string[] = [];
  const coefficients = recipe.dereddening?.coefficients;
  const hasEbv = profile.ebv !== undefined || recipe.dereddening?.map !== undefined;
  if (coefficients && !hasEbv) {
    problems.push(`dereddening needs E(B-V); ${profile.name} names no column for it, and the recipe no map`);
  }
  for (const band of BANDS) {
    if (coefficients && profile.bands[band] && coefficients[band] === undefined) {
      problems.push(`dereddening has no coefficient for the band ${band}`);
    }
  }
  const cut = recipe.cut === undefined ? null : parseCut(recipe.cut);
  for (const column of cut?.ok ? cut.columns : []) {
    if (!(column === 'ebv' ? hasEbv : hasColumn(profile, column)))
      problems.push(`the cut speaks of ${column}, which ${profile.name} does not have`);
  }
  return problems;
}

function hasColumn(profile: Profile, column: string): boolean {
  if (column === 'primary') return profile.primary !== undefined;
  if (column === 'extendedness') return profile.extendedness !== undefined;
  const [, band] = /^mag(?:err)?_(.)$/.exec(column) ?? [];
  return band === undefined || Object.keys(profile.bands).includes(band);
}

/** The name of a skinny part, from all that makes it. */
export function partId(chunkSha256: Digest, recipe: Digest, index: number, count: number): Digest {
  return digestOf('skinny-part', { chunk: chunkSha256, recipe, index, count });
}

/** How `rows` are shared out: as few parts as the limit allows, their sizes differing by at most one row. */
export function partSizes(rows: number, maxRowsPerPart: number): readonly number[] {
  const count = Math.ceil(rows / maxRowsPerPart);
  return Array.from(
    { length: count },
    (_, index) => Math.floor((rows * (index + 1)) / count) - Math.floor((rows * index) / count),
  );
}

/** The order of the pixel counts that intake leaves for packing: 3.4 arcmin, 12.6 million pixels on the sky. */
export const COUNT_ORDER = 10;
