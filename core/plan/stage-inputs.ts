import { anyOf } from '#core/any-of.ts';
import { readModel } from '#core/campaign-book.ts';
import { type KeptLevel, keptLevels } from '#core/degrade-order.ts';
import type { BatchPart, ObjectRef } from '#core/job.ts';
import { algorithmVersion, ancillaryOf, findWork, type JobInput } from '#core/job-order.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';
import { estimateKey, informKey, validateKey } from '#core/work.ts';

/** What was done before of an algorithm's training, and what its jobs read. */
export interface Training {
  readonly informed: boolean;
  /** Null when it is to be made. */
  readonly model: ObjectRef | null;
  readonly validated: boolean;
  readonly inform: JobInput;
  readonly validate: JobInput;
}

export async function trainingOf(table: Table, spec: ReleaseSpec, algorithm: string): Promise<Training> {
  const version = algorithmVersion(spec, algorithm);
  const { heldOut } = spec.campaign;
  const informed = await findWork(table, informKey(version, spec.trainingSet, heldOut));
  const model = informed ? await readModel(table, informed.campaign, algorithm) : null;
  const validated = model && (await findWork(table, validateKey(version, spec.trainingSet, heldOut, model)));
  const inform = { units: 1, rows: 0, bytes: spec.trainingSet.sizeBytes + ancillaryBytes(spec, algorithm) };
  const validate = model ? { ...inform, bytes: inform.bytes + model.sizeBytes } : { ...inform, modelToCome: true };
  return { informed: informed !== null, model, validated: validated !== null, inform, validate };
}

/** Whether a batch was estimated by this model before, with all that the campaign keeps or as one of its steps has it. */
export async function isEstimated(
  table: Table,
  spec: ReleaseSpec,
  algorithm: string,
  model: ObjectRef,
  parts: readonly BatchPart[],
): Promise<boolean> {
  const version = algorithmVersion(spec, algorithm);
  const found = ({ kept }: KeptLevel) => findWork(table, estimateKey(version, model, parts, kept));
  return anyOf(keptLevels(spec.campaign), async (level) => (await found(level)) !== null);
}

const ancillaryBytes = (spec: ReleaseSpec, algorithm: string) =>
  ancillaryOf(spec, algorithm).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** What the estimate of a batch reads. */
export function batchInput(
  spec: ReleaseSpec,
  algorithm: string,
  parts: readonly BatchPart[],
  model: ObjectRef | null,
): JobInput {
  const besides = ancillaryBytes(spec, algorithm) + (model?.sizeBytes ?? 0);
  return {
    units: parts.length,
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    bytes: parts.reduce((sum, part) => sum + part.skinny.sizeBytes, besides),
    ...(model ? {} : { modelToCome: true }),
  };
}
