import { z } from 'zod';
import { ANCILLARY_KINDS, needAncillary } from '#core/ancillary.ts';
import { type Canonical, type Digest, digestOf } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { digestSchema, type NamedRef, nameSchema } from '#core/job.ts';
import { BANDS } from '#core/profile.ts';
import type { Table } from '#core/table.ts';

/**
 * The version of what the worker itself does to magnitudes and p(z) (bridge-agent/rail/ponte_rail/treatment.py holds
 * the same number). Raise both with any change there that changes an output byte.
 */
const TREATMENT_VERSION = 3;

/**
 * A number with a fraction, as text: `1e-3`, `0.10` and `0.1` are one number with many spellings, and the digest of a
 * configuration must come out the same in TypeScript and in Python.
 */
const decimalSchema = z.string().regex(/^-?\d+\.\d+$/, 'must be a decimal as text, for instance "0.75"');

type ParameterValue =
  | string
  | number
  | boolean
  | readonly ParameterValue[]
  | { readonly [key: string]: ParameterValue };

const parameterValueSchema: z.ZodType<ParameterValue> = z.lazy(() =>
  z.union([
    z.string(),
    z.int(),
    z.boolean(),
    z.array(parameterValueSchema).readonly(),
    z.record(z.string(), parameterValueSchema),
  ]),
);

const parameterSchema = z.strictObject({
  stages: z.array(z.enum(['inform', 'estimate'])).min(1),
  /** With `decimals` every text in it is a decimal and reaches RAIL as a float. */
  value: parameterValueSchema,
  decimals: z.boolean().default(false),
  unit: z.string().optional(),
  /** What it does, in the words of the field. */
  meaning: z.string().min(1),
});

/** Modules that can give no reproducible estimate; the worker refuses the same (ponte_rail/algorithm.py). */
const REFUSED: ReadonlySet<string> = new Set(['rail.estimation.algos.sklearn_neurnet']);

/** `sha256` is null as long as no content has been agreed on: then the algorithm is refused, with what to register. */
const ancillaryNeedSchema = z.strictObject({
  name: nameSchema,
  kind: z.enum(ANCILLARY_KINDS),
  sha256: digestSchema.nullable(),
  meaning: z.string().min(1),
});

const className = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
const bandSchema = z.enum(BANDS);

/** One registered way to run one RAIL algorithm: a file of schemas/algorithms. */
export const algorithmSchema = z.strictObject({
  /** As in Rubin's DP2 table; also the prefix of the output columns. */
  name: nameSchema.regex(/^[a-z][a-z0-9]*$/, 'must be letters and digits: it begins column names'),
  version: z.int().positive(),
  title: z.string().min(1),
  description: z.string().min(1),
  references: z.array(z.string()),
  rail: z.strictObject({
    module: z
      .string()
      .regex(/^rail(\.[A-Za-z_][A-Za-z0-9_]*)+$/)
      .refine(
        (module) => !REFUSED.has(module),
        'fits its scaler again on every slice: its p(z) depend on the neighbours',
      ),
    informer: className,
    estimator: className,
  }),
  /** Exact versions of the packages that hold the algorithm; the worker refuses any other. */
  packages: z.record(z.string(), z.string()),
  bands: z.array(bandSchema).min(2),
  referenceBand: bandSchema,
  /** Evenly spaced, both ends included. */
  grid: z.strictObject({ zMin: decimalSchema, zMax: decimalSchema, points: z.int().min(2) }),
  /** Most rows that go through RAIL at a time; memory grows with it. */
  chunkSize: z.int().min(2),
  /**
   * `equal`: as few slices as `chunkSize` allows, of equal length, because no p(z) depends on its slice. `fixed`: as
   * RAIL slices a file, `chunkSize` rows at a time from the first one, because p(z) do depend on it.
   */
  slicing: z.enum(['equal', 'fixed']),
  /** What magnitudes and errors reach RAIL as, in training and estimation alike. */
  floatType: z.enum(['float32', 'float64']),
  /** Where the algorithm's ensemble holds the number of the best template; null for codes without templates. */
  bestTemplate: z.string().nullable(),
  nonDetection: z.strictObject({
    /** What RAIL reads as "not detected" in place of a magnitude and of its error. */
    magnitude: decimalSchema,
    error: decimalSchema,
    /** AB magnitude limit of each band that the algorithm then uses. */
    limits: z.partialRecord(bandSchema, decimalSchema),
    meaning: z.string().min(1),
  }),
  /** Files outside the packages that the estimator reads; made by the environment step. */
  referenceData: z.enum(['bpz']).nullable(),
  /** Registered ancillary files that it cannot run without: what for, of which kind, and which content. */
  ancillary: z.array(ancillaryNeedSchema),
  /** By RAIL's names; LePHARE's own are `lephare.Z_STEP` and their like. */
  parameters: z.record(z.string().regex(/^[a-z][a-z0-9_]*(\.[A-Z][A-Z0-9_]*)?$/), parameterSchema),
  resources: z.strictObject({
    memoryMb: z.int().positive(),
    secondsPerThousandRows: decimalSchema,
    informSeconds: decimalSchema,
    source: z.string().min(1),
  }),
});
export type Algorithm = z.infer<typeof algorithmSchema>;

/**
 * The digest of everything in a registered configuration that changes a result; prose, version and resources do not
 * count. The worker computes it again from its own copy of the file and refuses work that names another one.
 */
export function configurationDigest(algorithm: Algorithm): Digest {
  const { meaning: _prose, ...nonDetection } = algorithm.nonDetection;
  const parameters: { [name: string]: Canonical } = {};
  for (const [name, { stages, value, decimals }] of Object.entries(algorithm.parameters)) {
    parameters[name] = { stages, value, decimals };
  }
  return digestOf('algorithm-configuration', {
    treatment: TREATMENT_VERSION,
    name: algorithm.name,
    rail: algorithm.rail,
    packages: algorithm.packages,
    bands: algorithm.bands,
    referenceBand: algorithm.referenceBand,
    grid: algorithm.grid,
    chunkSize: algorithm.chunkSize,
    slicing: algorithm.slicing,
    floatType: algorithm.floatType,
    bestTemplate: algorithm.bestTemplate,
    nonDetection,
    referenceData: algorithm.referenceData,
    ancillary: algorithm.ancillary.map(({ meaning: _prose, ...need }) => need),
    parameters,
  });
}

/**
 * The registered files that an algorithm cannot run without, under its own names for them.
 * @throws {InputError} `ANCILLARY_UNKNOWN` when no content has been agreed on, or it is not registered; `ANCILLARY_KIND`
 */
export async function registeredNeeds(table: Table, { name, ancillary }: Algorithm): Promise<NamedRef[]> {
  const found: NamedRef[] = [];
  for (const need of ancillary) {
    if (need.sha256 === null) {
      throw new InputError(`the algorithm ${name} needs the ancillary file ${need.name}, which has no content yet`, {
        code: 'ANCILLARY_UNKNOWN',
        hint: `Register it with \`ponte ancillary register\`, kind ${need.kind}, and name its digest in schemas/algorithms/${name}.json. It is: ${need.meaning}`,
      });
    }
    const row = await needAncillary(table, need.sha256, [need.kind], `the algorithm ${name} (${need.name})`);
    found.push({ name: need.name, ...row.object });
  }
  return found;
}
