import { z } from 'zod';
import type { Amount } from '#core/amount.ts';
import type { JobFacts } from '#core/attempt.ts';
import { DEFAULT_BREAKERS } from '#core/breaker.ts';
import { readCampaign, readModel, requireApproval } from '#core/campaign-book.ts';
import { keptLevels } from '#core/degrade-order.ts';
import type { Digest } from '#core/digest.ts';
import { InvariantError } from '#core/errors.ts';
import {
  type BatchPart,
  digestSchema,
  type JobMessage,
  type NamedRef,
  nameSchema,
  type ObjectRef,
  objectRefSchema,
} from '#core/job.ts';
import { type Reservation, reserve } from '#core/ledger.ts';
import { priceMicroUsd, type Usage } from '#core/price-book.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
import {
  type AlgorithmVersion,
  estimateKey,
  informKey,
  type KeptPdf,
  validateKey,
  workKeyOf,
  workPrefix,
  workRowSchema,
} from '#core/work.ts';

/** What a state machine says of one job: which algorithm does what in which campaign. */
export const jobOrderSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('inform'), campaign: nameSchema, release: nameSchema, algorithm: nameSchema }),
  z.object({ kind: z.literal('validate'), campaign: nameSchema, release: nameSchema, algorithm: nameSchema }),
  z.object({
    kind: z.literal('estimate'),
    campaign: nameSchema,
    release: nameSchema,
    algorithm: nameSchema,
    batchId: digestSchema,
    batch: objectRefSchema,
    /** Whether it has a priority tract; all have where none are declared. */
    priority: z.boolean().exactOptional(),
  }),
]);
export type JobOrder = z.infer<typeof jobOrderSchema>;

/** A message without its token, which only the waiting state knows. */
type Untokened<M> = M extends JobMessage ? Omit<M, 'taskToken'> : never;
export type PreparedMessage = Untokened<JobMessage>;

export interface PreparedJob {
  readonly workKey: Digest;
  readonly message: PreparedMessage;
}

/** What of a registration the price and the identity of a job depend on. */
export type JobSpec = Pick<ReleaseSpec, 'release' | 'algorithms' | 'environmentDigest'> & {
  readonly profile: Pick<ReleaseSpec['profile'], 'name'>;
};

export function algorithmVersion(spec: Omit<JobSpec, 'profile'>, algorithm: string): AlgorithmVersion {
  const registered = spec.algorithms[algorithm];
  if (registered) {
    const { configurationDigest } = registered;
    return { algorithm, configurationDigest, environmentDigest: spec.environmentDigest };
  }
  throw new InvariantError(`the release ${spec.release} has no registered configuration of ${algorithm}`, {
    code: 'ALGORITHM_UNREGISTERED',
    hint: 'Register the release again with an algorithm of schemas/algorithms.',
  });
}

/** The registered files that an algorithm's jobs read besides. */
export function ancillaryOf({ algorithms }: Pick<JobSpec, 'algorithms'>, algorithm: string): readonly NamedRef[] {
  return algorithms[algorithm]?.ancillary ?? [];
}

/**
 * Turns an order into the message for the site, named by its content. An estimate needs a standing approval.
 *
 * @param kept what an estimate leaves of p(z); as its campaign says unless told.
 */
export async function prepareJob(
  table: Table,
  spec: ReleaseSpec,
  order: JobOrder,
  parts: readonly BatchPart[],
  kept: KeptPdf = keptLevels(spec.campaign)[0].kept,
): Promise<PreparedJob> {
  const version = algorithmVersion(spec, order.algorithm);
  const { heldOut } = spec.campaign;
  const training = spec.trainingSet;
  const common = (workKey: Digest) => ({
    version: 1 as const,
    workKey,
    release: order.release,
    campaign: order.campaign,
    algorithm: order.algorithm,
    configurationDigest: version.configurationDigest,
    ancillary: [...ancillaryOf(spec, order.algorithm)],
    outputPrefix: workPrefix(order.kind, workKey),
  });
  if (order.kind === 'inform') {
    const workKey = informKey(version, training, heldOut);
    return { workKey, message: { ...common(workKey), kind: 'inform', training, heldOut } };
  }
  const model = await readModel(table, order.campaign, order.algorithm);
  if (order.kind === 'validate') {
    const workKey = validateKey(version, training, heldOut, model);
    return { workKey, message: { ...common(workKey), kind: 'validate', training, heldOut, model } };
  }
  await requireApproval(table, await readCampaign(table, order.campaign));
  const { bisect = false } = spec.campaign;
  const workKey = estimateKey(version, model, parts, kept);
  return { workKey, message: { ...common(workKey), kind: 'estimate', model, batch: order.batch, ...kept, bisect } };
}

/** The finished work under a key, if anyone ever finished it. */
export async function findWork(table: Table, workKey: Digest) {
  const row = await table.get(workKeyOf(workKey));
  return row ? workRowSchema.parse(row) : null;
}

/** Attempts of a job that the state machine makes before it gives up (infra/job-chain.ts). */
const JOB_ATTEMPTS = 3;
/** Start-up of Python, RAIL and the staging, generously. */
const START_SECONDS = 120;
/** The registered seconds per row are measured on an idle core; a busy node may take five times as long. */
const SLOWEST_NODE = 5;
/**
 * What one job uses of the control plane, by its units: states and functions are those of the job, the objects and rows
 * of its parts go with them. Counted by `npm run bench -- cost` on 2026-11-27, in jobs of 50 parts.
 */
export const jobUsage = (units: number): Usage => ({
  lambdaRequests: 2,
  lambdaGbSeconds: 0.1,
  lambdaDiskGbSeconds: 0.1,
  stateTransitions: 4,
  s3Puts: 3 + 2 * units,
  s3Gets: 4 + 5 * units,
  dynamoDbWriteUnits: 30 + 4 * units,
  dynamoDbReadUnits: 16,
  sqsRequests: 3,
  events: 0,
  logBytes: 10_000,
});

/** What a job reads: its units, their rows, and the bytes that a site outside the cloud has to fetch. */
export interface JobInput {
  readonly units: number;
  readonly rows: number;
  readonly bytes: number;
  /** A model that is not made yet is read besides, so its bytes are not known. */
  readonly modelToCome?: boolean;
}

/** What the message's job reads; `parts` are those of an estimate. */
export function jobInput(message: PreparedMessage, parts: readonly BatchPart[]): JobInput {
  const files: ObjectRef[] = [...message.ancillary, message.kind === 'inform' ? message.training : message.model];
  if (message.kind === 'validate') files.push(message.training);
  const bytes = [...files, ...parts.map((part) => part.skinny)].reduce((sum, file) => sum + file.sizeBytes, 0);
  return { units: Math.max(parts.length, 1), rows: parts.reduce((sum, part) => sum + part.rows, 0), bytes };
}

/** What one attempt of this job will probably cost, by the registered seconds: no history is asked. */
export function assumedCase(spec: JobSpec, order: Pick<JobOrder, 'kind' | 'algorithm'>, input: JobInput): Amount {
  return {
    microUsd: priceMicroUsd(jobUsage(input.units)),
    coreSeconds: Math.ceil(START_SECONDS + computeSeconds(spec, order, input.rows)),
    egressBytes: input.bytes,
  };
}

/** What one attempt of this job may cost at most, times its attempts: what the ledger sets aside before it starts. */
export function worstCase(spec: JobSpec, order: Pick<JobOrder, 'kind' | 'algorithm'>, input: JobInput): Amount {
  return {
    microUsd: priceMicroUsd(jobUsage(input.units)) * JOB_ATTEMPTS,
    coreSeconds: Math.ceil((START_SECONDS + computeSeconds(spec, order, input.rows) * SLOWEST_NODE) * JOB_ATTEMPTS),
    egressBytes: input.bytes * JOB_ATTEMPTS,
  };
}

function computeSeconds(spec: JobSpec, { kind, algorithm }: Pick<JobOrder, 'kind' | 'algorithm'>, rows: number) {
  const registered = spec.algorithms[algorithm];
  return kind === 'inform'
    ? (registered?.informSeconds ?? 0)
    : (rows / 1000) * (registered?.secondsPerThousandRows ?? 0);
}

/** What a job is, for its row in the history. */
export function jobFacts(spec: JobSpec, order: Pick<JobOrder, 'kind' | 'algorithm'>, input: JobInput): JobFacts {
  const { kind } = order;
  const version = algorithmVersion(spec, order.algorithm);
  return { kind, ...version, survey: spec.profile.name, units: input.units, rows: input.rows };
}

/** Sets the worst case aside, or says why it cannot. */
export function admit(
  table: Table,
  spec: ReleaseSpec,
  order: JobOrder,
  workKey: Digest,
  input: JobInput,
  at: Date,
): Promise<Reservation> {
  return reserve(table, {
    campaign: order.campaign,
    release: order.release,
    work: workKey,
    wanted: worstCase(spec, order, input),
    at,
    facts: jobFacts(spec, order, input),
    expected: assumedCase(spec, order, input),
    breakers: spec.campaign.breakers ?? DEFAULT_BREAKERS,
  });
}
