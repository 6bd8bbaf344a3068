import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import type { Cloud } from '#cli/context.ts';
import { ROOT } from '#cli/home.ts';
import { readJson } from '#cli/operations/read-json.ts';
import { withTrainingSet } from '#cli/operations/training-set.ts';
import { type Algorithm, algorithmSchema, configurationDigest, registeredNeeds } from '#core/algorithm.ts';
import { type AncillaryFile, ancillaryFile, needAncillary } from '#core/ancillary.ts';
import { degradeProblem } from '#core/degrade-order.ts';
import { sha256 } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { parsePartitionInfo } from '#core/hats/partition-info.ts';
import type { ObjectStore } from '#core/ports.ts';
import { type Profile, profileSchema } from '#core/profile.ts';
import { UNPUBLISHED } from '#core/publication.ts';
import { type Recipe, recipeProblems, recipeSchema } from '#core/recipe.ts';
import {
  type Registration,
  type ReleaseSpec,
  registrationSchema,
  releaseKey,
  releaseRowSchema,
  releaseSpecDigest,
} from '#core/release.ts';
import { ROW_IS_NEW } from '#core/table.ts';

type Resolve = Pick<Cloud, 'table'> & { readonly lake: Pick<ObjectStore, 'putFile'> };
type Register = Resolve & Pick<Cloud, 'identity'>;

export interface Registered {
  readonly release: string;
  readonly specDigest: string;
  readonly outcome: 'registered' | 'unchanged';
  /** What the delivery will lack; null when nothing. */
  readonly warning: string | null;
}

/**
 * Registers a release from a file: every name in it is resolved to what it means today, and stays that.
 * @throws {InputError} when a name or a field is wrong, or when the release is registered with another meaning.
 */
export async function registerRelease(cloud: Register, path: string): Promise<Registered> {
  const registration = await readJson(path, registrationSchema, 'REGISTRATION_INVALID');
  const spec = await resolveSpec(cloud, registration, dirname(resolve(path)));
  const { release } = registration;
  const specDigest = releaseSpecDigest(spec);
  const warning = spec.publication ? null : UNPUBLISHED;
  const item = {
    ...releaseKey(release),
    release,
    spec,
    specDigest,
    registeredAt: new Date().toISOString(),
    registeredBy: await cloud.identity(),
    manifestState: 'absent',
    manifestSha256: null,
    expectedChunks: 0,
    expectedRows: 0,
    settledChunks: 0,
  };
  if ((await cloud.table.write([{ kind: 'put', item, when: [ROW_IS_NEW] }])).written) {
    return { release, specDigest, outcome: 'registered', warning };
  }
  const before = releaseRowSchema.parse(await cloud.table.get(releaseKey(release)));
  if (before.specDigest === specDigest) return { release, specDigest, outcome: 'unchanged', warning };
  const fields = Object.keys(spec).filter(
    (name) => JSON.stringify(field(spec, name)) !== JSON.stringify(field(before.spec, name)),
  );
  throw new InputError(`the release ${release} is already registered, with another ${fields.join(', ')}`, {
    code: 'RELEASE_REGISTERED',
    hint: 'A registration does not change: register the new meaning under a new release name.',
  });
}

const field = (spec: ReleaseSpec, name: string) => Object.entries(spec).find(([key]) => key === name)?.[1];

/** What a registration would mean, without registering it or storing its training set. */
export async function resolveRegistration(table: Register['table'], path: string): Promise<ReleaseSpec> {
  const registration = await readJson(path, registrationSchema, 'REGISTRATION_INVALID');
  const putFile: Resolve['lake']['putFile'] = async (key, file, digest) => ({
    key,
    sha256: digest,
    sizeBytes: (await stat(file)).size,
  });
  return resolveSpec({ table, lake: { putFile } }, registration, dirname(resolve(path)));
}

async function resolveSpec(cloud: Resolve, registration: Registration, folder: string): Promise<ReleaseSpec> {
  const { release, title, campaign, trainingOrigin, trainingCut, publication } = registration;
  const profile = await readConvention('profiles', registration.profile, profileSchema, folder);
  const recipe = await readConvention('recipes', registration.recipe, recipeSchema, folder);
  const [problem] = recipeProblems(recipe, profile);
  if (problem) {
    throw new InputError(`the recipe ${recipe.name} cannot be followed with ${profile.name}: ${problem}`, {
      code: 'RECIPE_UNFIT',
      hint: 'Take another recipe of schemas/recipes, or write one; a new recipe is a file there.',
    });
  }
  const unfit = degradeProblem(campaign, profile);
  if (unfit) {
    throw new InputError(`the campaign ${campaign.name} cannot degrade as declared: ${unfit}`, {
      code: 'DEGRADE_UNFIT',
      hint: 'docs/operator.md says what each step of campaign.degrade needs.',
    });
  }
  const ancillary = await ancillaryOf(cloud, profile, recipe);
  const algorithms: ReleaseSpec['algorithms'] = {};
  for (const name of campaign.algorithms) {
    const algorithm: Algorithm = await readNamed('algorithms', name, algorithmSchema);
    const needs = await registeredNeeds(cloud.table, algorithm);
    algorithms[name] = {
      configurationDigest: configurationDigest(algorithm),
      secondsPerThousandRows: Number(algorithm.resources.secondsPerThousandRows),
      informSeconds: Number(algorithm.resources.informSeconds),
      ...(needs.length > 0 ? { ancillary: needs } : {}),
      ...(algorithm.bestTemplate === null ? {} : { template: true }),
    };
  }
  const training = join(folder, registration.trainingSet);
  const { used: trainingSet, published } = await withTrainingSet(training, trainingCut, (file, digest) =>
    cloud.lake.putFile(`training/${digest}.parquet`, file, digest),
  );
  const partitionInfo = await storePartitionInfo(cloud, registration, folder);
  const environment = await readFile(join(ROOT, 'bridge-agent', 'rail', 'requirements.txt'), 'utf8');
  return {
    ...{ release, title, profile, recipe, trainingSet, campaign, algorithms, environmentDigest: sha256(environment) },
    ...(trainingCut === undefined ? {} : { trainingCut: { cut: trainingCut, of: published } }),
    ...(trainingOrigin ? { trainingOrigin } : {}),
    ...(publication ? { publication } : {}),
    ...(ancillary.length > 0 ? { ancillary } : {}),
    ...(partitionInfo ? { partitionInfo } : {}),
  };
}

/** Read now, so that a list that cannot be used is refused before anything is estimated. */
async function storePartitionInfo(cloud: Resolve, { partitionInfo, campaign }: Registration, folder: string) {
  if (partitionInfo === undefined) return null;
  const path = join(folder, partitionInfo);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new InputError(`${path} cannot be read, which the registration names as partitionInfo`, {
      code: 'PARTITION_INFO_INVALID',
      hint: 'Give the partition_info.csv of the HATS catalogue whose partitions are wanted.',
      cause,
    });
  });
  parsePartitionInfo(bytes.toString('utf8'), campaign.partition.highestOrder);
  const digest = sha256(bytes);
  return await cloud.lake.putFile(`partitionings/${digest}.csv`, path, digest);
}

/** The registered files that the profile and the recipe name, with what intake has to know of them. */
async function ancillaryOf(cloud: Pick<Cloud, 'table'>, profile: Profile, recipe: Recipe): Promise<AncillaryFile[]> {
  const { map } = recipe.dereddening ?? {};
  const { bounds } = profile.tract ?? {};
  const needed = [
    ...(map ? [await needAncillary(cloud.table, map, ['map'], `the recipe ${recipe.name}`)] : []),
    ...(bounds ? [await needAncillary(cloud.table, bounds, ['tracts'], `the profile ${profile.name}`)] : []),
  ];
  return needed.map(ancillaryFile);
}

/** What has a name in schemas/, or is a file of the survey's own beside the registration. */
function readConvention<T>(
  kind: 'profiles' | 'recipes',
  name: string,
  schema: z.ZodType<T>,
  folder: string,
): Promise<T> {
  return name.endsWith('.json')
    ? readJson(join(folder, name), schema, 'SCHEMA_INVALID')
    : readNamed(kind, name, schema);
}

async function readNamed<T>(
  kind: 'profiles' | 'recipes' | 'algorithms',
  name: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const folder = join(ROOT, 'schemas', kind);
  const known = (await readdir(folder)).map((file) => file.replace(/\.json$/, ''));
  if (known.includes(name)) return readJson(join(folder, `${name}.json`), schema, 'SCHEMA_INVALID');
  throw new InputError(`there is no ${kind.slice(0, -1)} named ${name}`, {
    code: 'NAME_UNKNOWN',
    hint: `Known ${kind}: ${known.sort().join(', ')}. A new one is a file in schemas/${kind}.`,
  });
}
