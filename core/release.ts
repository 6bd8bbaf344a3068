import { z } from 'zod';
import { ancillaryFileSchema } from '#core/ancillary.ts';
import { breakersSchema } from '#core/breaker.ts';
import { degradeSchema } from '#core/degrade-order.ts';
import { type Digest, digestOf } from '#core/digest.ts';
import { furtherDestinationsSchema } from '#core/further-destination.ts';
import { headlineSchema } from '#core/headline.ts';
import { digestSchema, heldOutSchema, namedRefSchema, nameSchema, objectRefSchema } from '#core/job.ts';
import { profileSchema } from '#core/profile.ts';
import { publicationSchema } from '#core/publication.ts';
import { recipeSchema } from '#core/recipe.ts';
import type { Key } from '#core/table.ts';

/** A chunk's file name: what follows `releases/{release}/chunks/` in the landing bucket; folders are allowed. */
export const chunkNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._=-]*(\/[A-Za-z0-9][A-Za-z0-9._=-]*)*$/, 'must be a plain relative path')
  .max(300);

/** What a publisher says of a release: which chunks it has, and its key numbers to compare with. */
export const manifestSchema = z.strictObject({
  version: z.literal(1),
  release: nameSchema,
  profile: z.string(),
  note: z.string().optional(),
  keyNumbers: z.strictObject({ rows: z.int().nonnegative() }),
  chunks: z
    .array(
      z.strictObject({
        name: chunkNameSchema,
        sha256: digestSchema,
        sizeBytes: z.int().nonnegative(),
        rows: z.int().nonnegative(),
      }),
    )
    .min(1),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** How large a HATS partition may become, down to `highestOrder`: in rows, or in megabytes of its largest file. */
const partitionSpecSchema = z
  .strictObject({
    thresholdRows: z.int().positive().exactOptional(),
    thresholdMegabytes: z.number().positive().exactOptional(),
    highestOrder: z.int().min(0).max(10),
  })
  .refine(
    ({ thresholdRows, thresholdMegabytes }) => (thresholdRows === undefined) !== (thresholdMegabytes === undefined),
    {
      message: 'give either thresholdRows or thresholdMegabytes',
    },
  );
export type PartitionSpec = z.infer<typeof partitionSpecSchema>;

/** The production that a release names: it starts by itself when the manifest is complete. */
export const campaignSpecSchema = z.strictObject({
  name: nameSchema.max(30),
  /** Names from schemas/algorithms. */
  algorithms: z.array(nameSchema).min(1),
  heldOut: heldOutSchema,
  /** Skinny parts that one scheduler array estimates under one task token. */
  partsPerBatch: z.int().positive().max(1000),
  /** Whether RAIL's own p(z) stay in the lake too, as qp HDF5, beside the packed ones that are delivered. */
  archive: z.boolean().exactOptional(),
  /** Whether a part that an algorithm fails is searched for the rows that cause it. */
  bisect: z.boolean().exactOptional(),
  partition: partitionSpecSchema,
  /** The campaign never starts work that could take it over any of them; three currencies, never summed. */
  caps: z.strictObject({
    microUsd: z.int().positive(),
    coreSeconds: z.int().positive(),
    egressBytes: z.int().positive().exactOptional(),
  }),
  /** When it pauses by itself although the caps have room; core/breaker.ts has what holds without it. */
  breakers: breakersSchema.exactOptional(),
  /** How it does less when a cap is near (core/degrade-order.ts); nothing of the kind unless declared. */
  degrade: degradeSchema.exactOptional(),
  /** Tracts that go first, and alone once `priorityTracts` holds; as the catalogue's tract column has them. */
  priorityTracts: z.array(z.string().min(1)).min(1).exactOptional(),
  /** Where the table goes beside the stack's own bucket; the approval covers them. */
  destinations: furtherDestinationsSchema.exactOptional(),
});

export type CampaignSpec = z.infer<typeof campaignSpecSchema>;

/** Where a training set comes from, and under what it may be used. */
const originSchema = z.strictObject({ source: z.string().min(1), licence: z.string().min(1) });

/** The file an operator registers a release with; `trainingSet` is a path beside it. */
export const registrationSchema = z.strictObject({
  version: z.literal(1),
  release: nameSchema.max(40),
  title: z.string().min(1),
  /** A name from schemas/profiles, or a path beside this file that ends in .json; likewise the recipe. */
  profile: z.string(),
  recipe: z.string(),
  trainingSet: z.string(),
  /** Objects for which it is true are trained on: in the language of `core/cut.ts`, with `redshift`. */
  trainingCut: z.string().min(1).exactOptional(),
  trainingOrigin: originSchema.exactOptional(),
  publication: publicationSchema.exactOptional(),
  /** A path beside this file: the partition_info.csv of the HATS catalogue whose partitions the table gets. */
  partitionInfo: z.string().min(1).exactOptional(),
  campaign: campaignSpecSchema,
});
export type Registration = z.infer<typeof registrationSchema>;

/** A registration with every name resolved to what it meant on that day. */
export const releaseSpecSchema = z.strictObject({
  release: nameSchema.max(40),
  title: z.string(),
  profile: profileSchema,
  recipe: recipeSchema,
  trainingSet: objectRefSchema,
  /** What `trainingSet` is the rest of: the cut, and the file that was cut. */
  trainingCut: z.strictObject({ cut: z.string(), of: digestSchema }).exactOptional(),
  trainingOrigin: originSchema.exactOptional(),
  publication: publicationSchema.exactOptional(),
  partitionInfo: objectRefSchema.exactOptional(),
  campaign: campaignSpecSchema,
  /** Registered configuration of each of the campaign's algorithms, with what one attempt may cost at most. */
  algorithms: z.record(
    nameSchema,
    z.strictObject({
      configurationDigest: digestSchema,
      secondsPerThousandRows: z.number().positive(),
      informSeconds: z.number().nonnegative(),
      /** The registered files that its configuration names by their digests. */
      ancillary: z.array(namedRefSchema).min(1).exactOptional(),
      /** Whether its best template is delivered: registered with a `bestTemplate`. */
      template: z.literal(true).exactOptional(),
    }),
  ),
  /** The registered files that the profile and the recipe name by their digests. */
  ancillary: z.array(ancillaryFileSchema).exactOptional(),
  /** Digest of the lock file of the Python packages that the worker runs with. */
  environmentDigest: digestSchema,
});
export type ReleaseSpec = z.infer<typeof releaseSpecSchema>;

export function releaseSpecDigest(spec: ReleaseSpec): Digest {
  return digestOf('release-spec', spec);
}

/** The head row of a release. */
export const releaseRowSchema = z.object({
  release: nameSchema,
  spec: releaseSpecSchema,
  specDigest: digestSchema,
  registeredAt: z.string(),
  registeredBy: z.string(),
  manifestState: z.enum(['absent', 'ingesting', 'complete']),
  manifestSha256: digestSchema.nullable(),
  /** Chunks the manifest lists; rows by its key numbers. */
  expectedChunks: z.int().nonnegative(),
  expectedRows: z.int().nonnegative(),
  /** Chunks of the manifest that are skinny or quarantined. */
  settledChunks: z.int().nonnegative(),
  /** What the last `ponte release report` found. */
  headline: headlineSchema.exactOptional(),
});
export type ReleaseRow = z.infer<typeof releaseRowSchema>;

/** Every chunk of the manifest has arrived and the intake is through with it. */
export function isComplete(row: ReleaseRow): boolean {
  return row.manifestState === 'complete' && row.settledChunks >= row.expectedChunks;
}

export const releasePartition = (release: string) => `R#${release}`;
export const releaseKey = (release: string): Key => ({ pk: releasePartition(release), sk: 'META' });

/** What the manifest lists under one name, and what became of it. */
export const expectedChunkSchema = z.object({
  name: chunkNameSchema,
  sha256: digestSchema,
  sizeBytes: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  outcome: z.enum(['skinny', 'quarantined']).nullable(),
  chunkId: digestSchema.nullable(),
});
export type ExpectedChunk = z.infer<typeof expectedChunkSchema>;
export const EXPECTED_PREFIX = 'E#';
export const expectedKey = (release: string, name: string): Key => ({
  pk: releasePartition(release),
  sk: `${EXPECTED_PREFIX}${name}`,
});

export type LandingObject =
  | { readonly kind: 'chunk'; readonly release: string; readonly name: string }
  | { readonly kind: 'manifest'; readonly release: string }
  | { readonly kind: 'other' };

const LANDING_KEY = /^releases\/([a-z0-9][a-z0-9._-]{0,39})\/(?:(manifest\.json)|chunks\/(.+))$/;

export const chunkObjectKey = (release: string, name: string) => `releases/${release}/chunks/${name}`;
export const manifestObjectKey = (release: string) => `releases/${release}/manifest.json`;

/** What an object in the landing bucket is, by its key. */
export function landingObject(key: string): LandingObject {
  const [, release, manifest, name] = LANDING_KEY.exec(key) ?? [];
  if (release === undefined) return { kind: 'other' };
  if (manifest !== undefined) return { kind: 'manifest', release };
  if (name !== undefined && chunkNameSchema.safeParse(name).success) return { kind: 'chunk', release, name };
  return { kind: 'other' };
}
