import { anyOf } from '#core/any-of.ts';
import { releaseParts } from '#core/campaign-book.ts';
import { chunkKey, chunkRowSchema, type PartRow } from '#core/chunk.ts';
import { readExpected } from '#core/chunk-book.ts';
import type { BatchPart, ObjectRef } from '#core/job.ts';
import type { JobInput } from '#core/job-order.ts';
import { algorithmFields, type Change, changesBetween, derivationFields, trainingFields } from '#core/plan/fields.ts';
import { batchInput, isEstimated, trainingOf } from '#core/plan/stage-inputs.ts';
import { recipeDigest } from '#core/recipe.ts';
import { EXPECTED_PREFIX, expectedChunkSchema, type ReleaseSpec, releasePartition } from '#core/release.ts';
import { scan, type Table } from '#core/table.ts';

export type UnitKind = 'chunk' | 'inform' | 'validate' | 'estimate' | 'catalogue';

/** One thing that a campaign needs, and what becomes of it. */
export interface PlannedUnit {
  readonly kind: UnitKind;
  /** The chunk's name, the algorithm, or the first and last chunk of a batch. */
  readonly name: string;
  readonly algorithm: string | null;
  readonly verdict: 'reuse' | 'run' | 'blocked';
  readonly input: JobInput;
  /** Against the unit of the same name before; empty when nothing is compared with. */
  readonly changes: readonly Change[];
  /** Why it is blocked. */
  readonly reason: string | null;
  /** Whether a batch has a priority tract; only of batches, and where any are declared. */
  readonly priority?: boolean;
}

/** What a plan is compared with: an earlier registration and the campaign that made its models. */
export interface Baseline {
  readonly spec: ReleaseSpec;
  readonly campaign: string | null;
}

export interface PlanRequest {
  readonly table: Table;
  readonly spec: ReleaseSpec;
  /** Whose chunks; the spec may be another one than it was registered with. */
  readonly release: string;
  readonly baseline: Baseline | null;
  /** The delivered columns now, and of the catalogue that was made last; without it no catalogue is planned. */
  readonly columns?: { readonly now: string; readonly before: string | null };
  /** Whether a part has a priority tract (core/priority.ts). */
  readonly hasPriority?: (part: PartRow) => Promise<boolean>;
}

/** The parts in runs of `size`, in the order of the plan: what one array estimates. */
export async function* inBatches<T>(parts: AsyncIterable<T>, size: number): AsyncGenerator<readonly T[]> {
  let pending: T[] = [];
  for await (const part of parts) {
    pending.push(part);
    if (pending.length < size) continue;
    yield pending;
    pending = [];
  }
  if (pending.length > 0) yield pending;
}

export const batchPart = ({ partId, skinny, rows }: PartRow): BatchPart => ({ partId, skinny, rows });

/**
 * Every unit of a campaign: what was made before by the very same content is reused, wherever and under whatever name.
 * Whether it is depends on content alone; the baseline only says what differs.
 */
export async function* planUnits(request: PlanRequest): AsyncGenerator<PlannedUnit> {
  let running = 0;
  for await (const unit of planWork(request)) {
    if (unit.verdict === 'run') running += 1;
    yield unit;
  }
  if (request.columns) yield planCatalogue(request.spec, request.columns, running);
}

async function* planWork(request: PlanRequest): AsyncGenerator<PlannedUnit> {
  const derives = yield* planChunks(request);
  for (const algorithm of request.spec.campaign.algorithms) {
    const model = yield* planTraining(request, algorithm);
    yield* planEstimates(request, algorithm, derives ? null : model, derives);
  }
}

/** All of the table is packed again when anything in it changes, be it what a column is described as. */
function planCatalogue({ release }: ReleaseSpec, columns: { now: string; before: string | null }, running: number) {
  const changes: Change[] = columns.now === columns.before ? [] : [{ field: 'columns', ...columns }];
  if (running > 0) changes.push({ field: 'units', before: null, now: `${running} are to be made` });
  const unit = { kind: 'catalogue' as const, name: release, algorithm: null, input: { units: 1, rows: 0, bytes: 0 } };
  return { ...unit, verdict: changes.length > 0 ? ('run' as const) : ('reuse' as const), changes, reason: null };
}

/** Answers whether any chunk is to be derived anew, so that its parts are not known yet. */
async function* planChunks({ table, spec, release, baseline }: PlanRequest): AsyncGenerator<PlannedUnit, boolean> {
  const digest = recipeDigest(spec.recipe, spec.profile);
  const changes = baseline ? changesBetween(derivationFields(baseline.spec), derivationFields(spec)) : [];
  let derives = false;
  for await (const row of scan(table, releasePartition(release), EXPECTED_PREFIX)) {
    const expected = expectedChunkSchema.parse({ outcome: null, chunkId: null, ...row });
    const input = { units: 1, rows: expected.rows, bytes: 0 };
    const unit = { kind: 'chunk' as const, name: expected.name, algorithm: null, input };
    if (expected.outcome !== 'skinny' || !expected.chunkId) {
      const reason = expected.outcome === null ? 'it has not arrived' : 'it is in quarantine: ponte quarantine list';
      yield { ...unit, verdict: 'blocked', changes: [], reason };
      continue;
    }
    const chunk = chunkRowSchema.parse(await table.get(chunkKey(release, expected.chunkId)));
    const made = chunk.recipeDigest === digest;
    derives ||= !made;
    const own = baseline ? [...(await inputChange(table, baseline, expected.name, chunk.sha256)), ...changes] : [];
    // Nothing that was registered explains it: the derivation's own code is of another version.
    const code = { field: 'code', before: chunk.recipeDigest, now: digest };
    yield { ...unit, verdict: made ? 'reuse' : 'run', changes: made || own.length > 0 ? own : [code], reason: null };
  }
  return derives;
}

async function inputChange(table: Table, { spec }: Baseline, name: string, now: string): Promise<readonly Change[]> {
  const before = (await readExpected(table, spec.release, name))?.sha256 ?? null;
  return before === now ? [] : [{ field: 'input', before, now }];
}

/** Answers the model, or null when it is to be made. */
async function* planTraining(
  { table, spec, baseline }: PlanRequest,
  algorithm: string,
): AsyncGenerator<PlannedUnit, ObjectRef | null> {
  const now = new Map([...algorithmFields(spec, algorithm), ...trainingFields(spec)]);
  const known = baseline?.spec.algorithms[algorithm] ? baseline.spec : null;
  const before = known ? new Map([...algorithmFields(known, algorithm), ...trainingFields(known)]) : null;
  const changes = before ? changesBetween(before, now) : [];
  const { informed, model, validated, inform, validate } = await trainingOf(table, spec, algorithm);
  const unit = { name: algorithm, algorithm, reason: null };
  yield { ...unit, kind: 'inform', input: inform, verdict: informed ? 'reuse' : 'run', changes };
  const withModel = model || !before ? changes : [...changes, MODEL_TO_COME];
  yield { ...unit, kind: 'validate', input: validate, verdict: validated ? 'reuse' : 'run', changes: withModel };
  return model;
}

const MODEL_TO_COME: Change = { field: 'model', before: null, now: 'to be made' };

async function* planEstimates(
  { table, spec, release, baseline, hasPriority }: PlanRequest,
  algorithm: string,
  model: ObjectRef | null,
  derives: boolean,
): AsyncGenerator<PlannedUnit> {
  const { partsPerBatch } = spec.campaign;
  const known = baseline?.spec.algorithms[algorithm] ? baseline : null;
  const shared = known ? changesBetween(algorithmFields(known.spec, algorithm), algorithmFields(spec, algorithm)) : [];
  const derivation = known ? changesBetween(derivationFields(known.spec), derivationFields(spec)) : [];
  let number = 0;
  for await (const batch of inBatches(releaseParts(table, release), partsPerBatch)) {
    number += 1;
    const parts = batch.map(batchPart);
    const input = batchInput(spec, algorithm, parts, model);
    const done = model && !derives && (await isEstimated(table, spec, algorithm, model, parts));
    const inputs = known ? await changedInputs(table, release, known, batch) : [];
    const changes: readonly Change[] = known
      ? [...inputs, ...shared, ...derivation, ...(model || derives ? [] : [MODEL_TO_COME])]
      : [];
    const unit = { kind: 'estimate' as const, name: batchName(number), algorithm, input, changes, reason: null };
    const priority = hasPriority ? { priority: await anyOf(batch, hasPriority) } : {};
    yield { ...unit, verdict: done ? 'reuse' : 'run', ...priority };
  }
}

export const batchName = (number: number) => `batch ${String(number).padStart(5, '0')}`;

async function changedInputs(table: Table, release: string, baseline: Baseline, batch: readonly PartRow[]) {
  const found = new Map<string, Change>();
  for (const { chunkId } of batch) {
    const { name, sha256 } = chunkRowSchema.parse(await table.get(chunkKey(release, chunkId)));
    for (const { before, now } of await inputChange(table, baseline, name, sha256)) {
      found.set(name, { field: `input.${name}`, before, now });
    }
  }
  return [...found.values()];
}
