import { z } from 'zod';
import { readCampaign, readModel, requireApproval } from '#core/campaign-book.ts';
import type { Digest } from '#core/digest.ts';
import { InvariantError } from '#core/errors.ts';
import { type BatchPart, digestSchema, type JobMessage, nameSchema, objectRefSchema } from '#core/job.ts';
import { type Amount, reserve } from '#core/ledger.ts';
import { priceMicroUsd, type Usage } from '#core/price-book.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
import {
  type AlgorithmVersion,
  estimateKey,
  informKey,
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

/** Why a job does not start. */
export interface BudgetRefusal {
  readonly available: Amount;
  readonly wanted: Amount;
}

export function algorithmVersion(spec: ReleaseSpec, algorithm: string): AlgorithmVersion {
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

/** Turns an order into the message for the site, named by its content. An estimate needs a standing approval. */
export async function prepareJob(
  table: Table,
  spec: ReleaseSpec,
  order: JobOrder,
  parts: readonly BatchPart[],
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
  const { archive = false } = spec.campaign;
  const workKey = estimateKey(version, model, parts, archive);
  return { workKey, message: { ...common(workKey), kind: 'estimate', model, batch: order.batch, archive } };
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
/** What one job uses of the control plane: see infra/job-chain.ts for the states and functions/ for the calls. */
export const JOB_USAGE: Usage = {
  lambdaRequests: 2,
  lambdaGbSeconds: 1,
  stateTransitions: 5,
  s3Puts: 4,
  s3Gets: 4,
  dynamoDbWriteUnits: 20,
  dynamoDbReadUnits: 20,
  sqsRequests: 10,
  events: 0,
};

/** What one attempt of this job may cost at most, times its attempts: what the ledger sets aside before it starts. */
export function worstCase(spec: ReleaseSpec, order: JobOrder, rows: number): Amount {
  const registered = spec.algorithms[order.algorithm];
  const compute =
    order.kind === 'inform'
      ? (registered?.informSeconds ?? 0)
      : (rows / 1000) * (registered?.secondsPerThousandRows ?? 0);
  return {
    microUsd: priceMicroUsd(JOB_USAGE) * JOB_ATTEMPTS,
    coreSeconds: Math.ceil((START_SECONDS + compute * SLOWEST_NODE) * JOB_ATTEMPTS),
  };
}

/** Sets the worst case aside, or says why it cannot. */
export async function admit(
  table: Table,
  spec: ReleaseSpec,
  order: JobOrder,
  workKey: Digest,
  rows: number,
): Promise<BudgetRefusal | null> {
  const reservation = await reserve(table, order.campaign, workKey, worstCase(spec, order, rows));
  return reservation.kind === 'refused' ? { available: reservation.available, wanted: reservation.wanted } : null;
}
